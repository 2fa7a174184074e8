-- Turn a webhook off that its endpoint wants no more of; it stays to be read, and a new one turns it on.
-- outcomes: disabled, absent
-- Unless it was set anew since `as_of` (ms).
local agent, webhook, breaker, webhooks, counters, activity = unpack(KEYS)
local agent_id, because, at, as_of, activity_cap = unpack(ARGV)
-- include: breaker

local is_on = redis.call('HGET', agent, 'webhook') == 'on'
if not is_on or redis.call('HGET', webhook, 'changed_at') ~= as_of then return { 'absent' } end
redis.call('ZREM', webhooks, agent_id)
set_breaker('0', '')
redis.call('HSET', agent, 'webhook', 'off')
redis.call('HSET', webhook, 'disabled_at', at, 'disabled_because', because)
tell('webhook.disabled')
return { 'disabled' }
