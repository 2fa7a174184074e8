-- Let dead letters leave whose retention has passed.
-- outcomes: trimmed
local dead_letters, dead_index, dead_due = unpack(KEYS)
local retention_ms, limit = unpack(ARGV)
-- include: clock

local before = server_ms() - tonumber(retention_ms)
local gone = redis.call('ZRANGEBYSCORE', dead_index, '-inf', before, 'LIMIT', 0, limit)
if #gone > 0 then
  redis.call('ZREM', dead_index, unpack(gone))
  redis.call('ZREM', dead_due, unpack(gone))
  redis.call('HDEL', dead_letters, unpack(gone))
end
return { 'trimmed', #gone }
