-- Take the next turns of those who get messages in turn.
-- outcomes: taken
local turns = unpack(KEYS)
local count, lifetime_ms = unpack(ARGV)

local taken = tonumber(redis.call('GET', turns) or 0)
-- Routing must go on when Redis is out of memory, and it does in a script that removed first.
redis.call('DEL', turns)
redis.call('SET', turns, string.format('%d', taken + count), 'PX', lifetime_ms)
return { 'taken', taken }
