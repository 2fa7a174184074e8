-- Stop sending a recurring message until it is resumed: from this call on no slot is sent.
-- outcomes: paused, unknown, ended
local recurring, index, due, turns, counters, activity = unpack(KEYS)
local recurring_id, activity_cap = unpack(ARGV)
-- include: recurring

local state = redis.call('HGET', recurring, 'state')
if not state then return { 'unknown' } end
if state == 'paused' then return { 'paused' } end
if state ~= 'active' then return { 'ended', state } end
redis.call('HSET', recurring, 'state', 'paused')
redis.call('HDEL', recurring, 'next_at')
redis.call('ZREM', due, recurring_id)
note('recurring.paused')
return { 'paused' }
