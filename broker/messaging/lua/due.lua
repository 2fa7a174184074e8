-- How much a sweep has to do in a partition, by the server's clock; notices when that was set back.
-- outcomes: due
-- `swept_at` is the last time that sweeps saw. When the clock stands far before it, leases and waits
-- would last for as much longer: every agent that may have some is noted for shift.lua, with the ms.
local alarms, concluded, dead_due, swept_at, set_back, claims = unpack(KEYS)
local step_ms, mark_ms, claim_margin_ms = unpack(ARGV)
-- include: clock

local now = server_ms()
local mark = tonumber(redis.call('GET', swept_at) or 0)
if mark - now > tonumber(step_ms) then
  redis.call('DEL', swept_at)
  for _, agent_id in ipairs(redis.call('ZRANGE', alarms, 0, -1)) do
    redis.call('ZINCRBY', set_back, mark - now, agent_id)
  end
  redis.call('SET', swept_at, now)
elseif now - mark > tonumber(mark_ms) and redis.call('EXISTS', alarms) == 1 then
  -- Seldom enough to be no burden; a removal first lets it pass when Redis is out of memory.
  redis.call('DEL', swept_at)
  redis.call('SET', swept_at, now)
end
return {
  'due',
  now,
  redis.call('ZCOUNT', alarms, '-inf', now),
  redis.call('ZCARD', concluded),
  redis.call('ZCOUNT', dead_due, '-inf', now),
  redis.call('ZCARD', set_back),
  redis.call('ZCOUNT', claims, '-inf', now - claim_margin_ms),
}
