-- Send one slot of a recurring message: store its message and move on to the next slot, in one step.
-- outcomes: stored, passed
-- `passed`: the slot is not the next one any more; somebody else sent it, or it was paused. Behind
-- the named keys and arguments come the message's own, as for enqueue.lua.
local ingress, delayed, sequence, history, sent, bell, drainer, taken, counters, activity, recurring, index, due, turns = unpack(KEYS)
local bell_ms, activity_cap, packed_items, recurring_id, slot, next_at, ended_state, entry, retention_ms, turns_kept = unpack(ARGV)
-- include: acceptance
-- include: recurring

if not stands_at(slot) then return { 'passed' } end
local answer, stored = accept_all(15, 11)
if stored then
  move_on('sent', 1, entry, slot, next_at, ended_state, tonumber(retention_ms), tonumber(turns_kept))
  note('recurring.sent')
end
return answer
