-- Note how a destination fares: its breaker, when it is tried next, and what failed last, if anything.
-- outcomes: noted, lost
-- Only who pushes may say so: what a pusher decides that was stopped for too long is out of date.
local webhook, breaker, pusher, webhooks, counters, activity = unpack(KEYS)
local agent_id, token, failures, opened_at, not_before, failed_at, failure, activity_cap = unpack(ARGV)
-- include: activity

if redis.call('GET', pusher) ~= token or redis.call('EXISTS', webhook) == 0 then return { 'lost' } end
local was_open = redis.call('HEXISTS', breaker, 'opened_at') == 1
redis.call('DEL', breaker)
if failures ~= '0' then redis.call('HSET', breaker, 'failures', failures) end
if opened_at ~= '' then redis.call('HSET', breaker, 'opened_at', opened_at) end
if (opened_at ~= '') ~= was_open then
  local event = was_open and 'breaker.closed' or 'breaker.opened'
  record_event(activity, counters, activity_cap, event, { agent_id })
end
if failure ~= '' then redis.call('HSET', webhook, 'failed_at', failed_at, 'failure', failure) end
redis.call('ZADD', webhooks, 'XX', not_before, agent_id)
return { 'noted' }
