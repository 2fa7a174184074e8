-- Note how a destination fares: its breaker, when it is tried next, and what failed last, if anything.
-- outcomes: noted, lost
-- Only who pushes may say so: what a pusher decides that was stopped for too long is out of date.
local webhook, breaker, pusher, webhooks, counters, activity = unpack(KEYS)
local agent_id, token, failures, opened_at, not_before, failed_at, failure, activity_cap = unpack(ARGV)
-- include: breaker

if redis.call('GET', pusher) ~= token or redis.call('EXISTS', webhook) == 0 then return { 'lost' } end
set_breaker(failures, opened_at)
if failure ~= '' then redis.call('HSET', webhook, 'failed_at', failed_at, 'failure', failure) end
redis.call('ZADD', webhooks, 'XX', not_before, agent_id)
return { 'noted' }
