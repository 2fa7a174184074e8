-- Give up a partition in which work is left; whoever comes next may take it at once.
-- outcomes: left, not_ours
local drainer = unpack(KEYS)
local token = unpack(ARGV)

if redis.call('GET', drainer) ~= token then return { 'not_ours' } end
redis.call('DEL', drainer)
return { 'left' }
