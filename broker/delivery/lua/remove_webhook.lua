-- Forget an agent's webhook.
-- outcomes: removed, absent
local agent, webhook, breaker, webhooks, counters, activity = unpack(KEYS)
local agent_id, activity_cap = unpack(ARGV)
-- include: activity

local existed = redis.call('DEL', webhook) == 1
redis.call('HDEL', agent, 'webhook')
redis.call('ZREM', webhooks, agent_id)
if redis.call('HGET', breaker, 'opened_at') then
  record_event(activity, counters, activity_cap, 'breaker.closed', { agent_id })
end
redis.call('DEL', breaker)
if not existed then return { 'absent' } end
record_event(activity, counters, activity_cap, 'webhook.removed', { agent_id })
return { 'removed' }
