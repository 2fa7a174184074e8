-- Begin a recurring message.
-- outcomes: created
local recurring, index, due, turns, counters, activity = unpack(KEYS)
local recurring_id, definition, next_at, activity_cap = unpack(ARGV)
-- include: recurring

redis.call('HSET', recurring, 'definition', definition)
redis.call('ZADD', index, '+inf', recurring_id)
await(next_at)
note('recurring.created')
return { 'created' }
