-- Go on being the one who pushes to an agent.
-- outcomes: renewed, lost
local pusher = unpack(KEYS)
local token, hold_ms = unpack(ARGV)

if redis.call('GET', pusher) ~= token then return { 'lost' } end
redis.call('PEXPIRE', pusher, hold_ms)
return { 'renewed' }
