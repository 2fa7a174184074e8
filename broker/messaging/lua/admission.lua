-- What the sender's side must know of a recipient before it accepts a message for it.
-- outcomes: known, unknown
local agent, deliveries, arrived = unpack(KEYS)
local sender_partition = unpack(ARGV)

local depth = redis.call('HLEN', deliveries)
local counted = tonumber(redis.call('HGET', arrived, sender_partition) or 0)
local limits = redis.call('HMGET', agent, 'epoch', 'max_depth', 'on_full')
return { limits[1] and 'known' or 'unknown', depth, counted, limits[2] or '', limits[3] or '' }
