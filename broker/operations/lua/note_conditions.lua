-- Note which conditions stand, and give each alert with a step that nobody has told of yet.
-- outcomes: noted
-- An alert is raising until that is told, standing, then resolving until that is told. The arguments
-- behind the named one are packed: measure, severity, value, limit.
local alerts = unpack(KEYS)
local resolve_after_ms = unpack(ARGV)
-- include: clock

local SEVERITY, SINCE, SEEN_AT, STAGE, VALUE, LIMIT = 1, 2, 3, 4, 5, 6
local RANK = { warning = 1, critical = 2 }

local now = server_ms()
local noted = {}
for index = 2, #ARGV do
  local measure, severity, value, limit = unpack(cmsgpack.unpack(ARGV[index]))
  local packed = redis.call('HGET', alerts, measure)
  local alert = packed and cmsgpack.unpack(packed)
  if not alert then
    alert = { severity, now, now, 'raising', value, limit }
  elseif alert[STAGE] == 'standing' and RANK[severity] > RANK[alert[SEVERITY]] then
    alert = { severity, alert[SINCE], now, 'raising', value, limit }
  end
  alert[SEEN_AT] = now
  noted[measure] = true
  redis.call('HSET', alerts, measure, cmsgpack.pack(alert))
end

local untold = {}
local stored = redis.call('HGETALL', alerts)
for index = 1, #stored, 2 do
  local measure, alert = stored[index], cmsgpack.unpack(stored[index + 1])
  if alert[STAGE] == 'standing' and not noted[measure]
    and now - alert[SEEN_AT] >= tonumber(resolve_after_ms) then
    alert[STAGE] = 'resolving'
    redis.call('HSET', alerts, measure, cmsgpack.pack(alert))
  end
  if alert[STAGE] ~= 'standing' then untold[#untold + 1] = { measure, unpack(alert) } end
end
return { 'noted', cmsgpack.pack(untold) }
