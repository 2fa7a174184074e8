-- End a recurring message for good: from this call on no slot is sent.
-- outcomes: cancelled, unknown, ended
local recurring, index, due, turns, counters, activity = unpack(KEYS)
local recurring_id, retention_ms, activity_cap = unpack(ARGV)
-- include: recurring

local state = redis.call('HGET', recurring, 'state')
if not state then return { 'unknown' } end
if state == 'cancelled' then return { 'cancelled' } end
if state ~= 'active' and state ~= 'paused' then return { 'ended', state } end
finish('cancelled', tonumber(retention_ms))
note('recurring.cancelled')
return { 'cancelled' }
