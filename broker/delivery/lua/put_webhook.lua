-- Give an agent a webhook, or change the one that it has; either way it is on, and tried afresh.
-- outcomes: created, changed, unknown_agent
-- A webhook that was there keeps its secret.
local agent, webhook, breaker, webhooks, counters, activity = unpack(KEYS)
local agent_id, definition, secret, at, activity_cap = unpack(ARGV)
-- include: breaker

local stored = redis.call('HMGET', agent, 'epoch', 'webhook')
if not stored[1] then return { 'unknown_agent' } end

set_breaker('0', '')
if not stored[2] then
  -- What an agent of this name left that was deleted.
  redis.call('DEL', webhook)
  redis.call('HSET', webhook, 'secret', secret, 'created_at', at)
end
redis.call('HDEL', webhook, 'disabled_at', 'disabled_because')
redis.call('HSET', webhook, 'definition', definition, 'changed_at', at)
redis.call('HSET', agent, 'webhook', 'on')
redis.call('ZADD', webhooks, 0, agent_id)
local outcome = stored[2] and 'changed' or 'created'
tell('webhook.' .. outcome)
return { outcome }
