-- Put an entry at the head of a list that keeps only its newest.
-- outcomes: kept
local list = unpack(KEYS)
local entry, newest = unpack(ARGV)

redis.call('LPUSH', list, entry)
redis.call('LTRIM', list, 0, newest - 1)
return { 'kept' }
