-- What version and partitions the data has; an empty station gets those of the caller.
-- outcomes: layout
local station = unpack(KEYS)
local version, partitions = unpack(ARGV)

redis.call('HSETNX', station, 'version', version)
redis.call('HSETNX', station, 'partitions', partitions)
return {
  'layout',
  tonumber(redis.call('HGET', station, 'version')),
  tonumber(redis.call('HGET', station, 'partitions')),
}
