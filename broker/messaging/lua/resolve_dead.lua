-- Close the case of a dead letter without delivering it.
-- outcomes: resolved, absent, closed
local dead_letters, dead_due, counters, activity = unpack(KEYS)
local letter_id, resolution, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity

local STATUS, NEXT_RETRY_AT, RESOLUTION, CLOSED_AT = 6, 8, 10, 11
local packed = redis.call('HGET', dead_letters, letter_id)
if not packed then return { 'absent' } end
local letter = cmsgpack.unpack(packed)
if letter[STATUS] ~= 'open' then return { 'closed', letter[STATUS] } end

redis.call('ZREM', dead_due, letter_id)
letter[STATUS] = 'resolved'
letter[RESOLUTION] = resolution
letter[NEXT_RETRY_AT] = 0
letter[CLOSED_AT] = server_ms()
redis.call('HSET', dead_letters, letter_id, cmsgpack.pack(letter))
record_event(activity, counters, activity_cap, 'dead_letter.resolved', { letter_id })
return { 'resolved', letter[CLOSED_AT] }
