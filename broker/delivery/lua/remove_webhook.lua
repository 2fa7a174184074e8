-- Forget an agent's webhook.
-- outcomes: removed, absent
local agent, webhook, breaker, webhooks, counters, activity = unpack(KEYS)
local agent_id, activity_cap = unpack(ARGV)
-- include: breaker

local existed = redis.call('DEL', webhook) == 1
redis.call('HDEL', agent, 'webhook')
redis.call('ZREM', webhooks, agent_id)
set_breaker('0', '')
if not existed then return { 'absent' } end
tell('webhook.removed')
return { 'removed' }
