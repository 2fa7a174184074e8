-- Note when a key was last used; its record is not brought back if it has left.
-- outcomes: noted, unknown
local api_key = unpack(KEYS)
local used_at = unpack(ARGV)

local made, last = unpack(redis.call('HMGET', api_key, 'created_at', 'last_used_at'))
if not made then return { 'unknown' } end
if tonumber(used_at) > tonumber(last or 0) then redis.call('HSET', api_key, 'last_used_at', used_at) end
return { 'noted' }
