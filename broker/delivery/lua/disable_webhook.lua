-- Turn a webhook off that its endpoint wants no more of; it stays to be read, and a new one turns it on.
-- outcomes: disabled, absent
local agent, webhook, breaker, webhooks, counters, activity = unpack(KEYS)
local agent_id, because, at, activity_cap = unpack(ARGV)
-- include: activity

if redis.call('HGET', agent, 'webhook') ~= 'on' then return { 'absent' } end
redis.call('ZREM', webhooks, agent_id)
if redis.call('HGET', breaker, 'opened_at') then
  record_event(activity, counters, activity_cap, 'breaker.closed', { agent_id })
end
redis.call('DEL', breaker)
redis.call('HSET', agent, 'webhook', 'off')
redis.call('HSET', webhook, 'disabled_at', at, 'disabled_because', because)
record_event(activity, counters, activity_cap, 'webhook.disabled', { agent_id })
return { 'disabled' }
