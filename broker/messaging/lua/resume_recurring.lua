-- Send a paused recurring message again, from `next_at` on.
-- outcomes: resumed, changed, unknown
-- `changed`: it is no longer paused after `last_slot`; read it again.
local recurring, index, due, turns, counters, activity = unpack(KEYS)
local recurring_id, last_slot, next_at, activity_cap = unpack(ARGV)
-- include: recurring

local state, last = unpack(redis.call('HMGET', recurring, 'state', 'last_slot'))
if not state then return { 'unknown' } end
if state ~= 'paused' or (last or '') ~= last_slot then return { 'changed' } end
await(next_at)
note('recurring.resumed')
return { 'resumed' }
