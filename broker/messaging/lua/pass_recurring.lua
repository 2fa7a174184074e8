-- Go past slots of a recurring message without sending them: they were missed, or one was refused.
-- outcomes: moved, passed
-- `passed`: the slot is not the next one any more.
local recurring, index, due, turns, counters, activity = unpack(KEYS)
local recurring_id, slot, last_slot, next_at, ended_state, counter, amount, entry, retention_ms, turns_kept, activity_cap = unpack(ARGV)
-- include: recurring

if not stands_at(slot) then return { 'passed' } end
move_on(counter, amount, entry, last_slot, next_at, ended_state, tonumber(retention_ms), tonumber(turns_kept))
note('recurring.' .. counter)
return { 'moved' }
