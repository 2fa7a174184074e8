-- Note the version that the data has reached. A slower process never takes it back to a lower one.
-- outcomes: reached
local station = unpack(KEYS)
local version = unpack(ARGV)

local current = tonumber(redis.call('HGET', station, 'version') or 0)
if tonumber(version) > current then redis.call('HSET', station, 'version', version) end
return { 'reached' }
