-- Move the ends of an agent's leases and waits along with a clock that was set back; never before now.
-- outcomes: shifted
-- Those that began since then end earlier than the old time and stay; the margin is for the time
-- between the last sweep and this. Safe to repeat: what is noted of the agent is used up.
local leased, waiting, alarms, set_back = unpack(KEYS)
local agent_id, margin_ms = unpack(ARGV)
-- include: clock

local by = tonumber(redis.call('ZSCORE', set_back, agent_id) or 0)
redis.call('ZREM', set_back, agent_id)
if by == 0 then return { 'shifted', 0 } end

local now = server_ms()
local count = 0
for _, timed in ipairs({ leased, waiting }) do
  local old = redis.call('ZRANGEBYSCORE', timed, now + by - margin_ms, '+inf', 'WITHSCORES')
  for index = 1, #old, 2 do
    redis.call('ZADD', timed, math.max(now, tonumber(old[index + 1]) - by), old[index])
    count = count + 1
  end
  local first = redis.call('ZRANGE', timed, 0, 0, 'WITHSCORES')[2]
  if first then redis.call('ZADD', alarms, 'LT', first, agent_id) end
end
return { 'shifted', count }
