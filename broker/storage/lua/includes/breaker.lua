-- The breaker of a webhook. Expects breaker, agent_id, counters, activity, activity_cap.
-- include: activity

-- Events name what they are about and whose it is.
local function tell(event)
  record_event(activity, counters, activity_cap, event, { 'webhook:' .. agent_id })
end

-- Puts these failures in a row and this moment of being given up ('' for none) in place of what is known.
local function set_breaker(failures, opened_at)
  local was_open = redis.call('HEXISTS', breaker, 'opened_at') == 1
  redis.call('DEL', breaker)
  if failures ~= '0' then redis.call('HSET', breaker, 'failures', failures) end
  if opened_at ~= '' then redis.call('HSET', breaker, 'opened_at', opened_at) end
  if was_open and opened_at == '' then tell('breaker.closed') end
  if not was_open and opened_at ~= '' then tell('breaker.opened') end
end
