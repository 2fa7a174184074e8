-- Become the one who pushes to an agent, for `hold_ms`, to be renewed.
-- outcomes: begun, busy, off
-- Gives the webhook, its breaker, and whether somebody died who pushed before.
local agent, webhook, breaker, pusher, webhooks = unpack(KEYS)
local agent_id, token, hold_ms = unpack(ARGV)

-- Pushing makes room: a removal first lets it begin when Redis is out of memory.
redis.call('ZREM', webhooks, '')
if redis.call('HGET', agent, 'webhook') ~= 'on' then
  redis.call('ZREM', webhooks, agent_id)
  return { 'off' }
end
if not redis.call('SET', pusher, token, 'NX', 'PX', hold_ms) then return { 'busy' } end
local died = redis.call('HEXISTS', webhook, 'pushing')
redis.call('HSET', webhook, 'pushing', token)
return { 'begun', died, redis.call('HGETALL', webhook), redis.call('HGETALL', breaker) }
