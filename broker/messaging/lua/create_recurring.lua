-- Begin a recurring message, unless the sender's idempotency key stands for one already.
-- outcomes: created, used
local recurring, index, due, turns, counters, activity, first_use = unpack(KEYS)
local recurring_id, definition, next_at, fingerprint, idempotency_ms, activity_cap = unpack(ARGV)
-- include: recurring

if fingerprint ~= '' then
  if redis.call('EXISTS', first_use) == 1 then return { 'used' } end
  redis.call('SET', first_use, recurring_id .. ' ' .. fingerprint, 'PX', idempotency_ms)
end
redis.call('HSET', recurring, 'definition', definition)
redis.call('ZADD', index, '+inf', recurring_id)
await(next_at)
note('recurring.created')
return { 'created' }
