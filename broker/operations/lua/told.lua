-- Note that a step of an alert has been told.
-- outcomes: told, superseded
-- `superseded`: somebody else told it, and the alert has gone on since.
local alerts = unpack(KEYS)
local measure, severity, since, stage = unpack(ARGV)

local SEVERITY, SINCE, STAGE = 1, 2, 4
local packed = redis.call('HGET', alerts, measure)
local alert = packed and cmsgpack.unpack(packed)
if not alert or alert[SEVERITY] ~= severity or alert[SINCE] ~= tonumber(since)
  or alert[STAGE] ~= stage then
  return { 'superseded' }
end
if stage == 'resolving' then
  redis.call('HDEL', alerts, measure)
else
  alert[STAGE] = 'standing'
  redis.call('HSET', alerts, measure, cmsgpack.pack(alert))
end
return { 'told' }
