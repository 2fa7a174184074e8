-- Let others push to an agent; what they find in its inbox, and the moment of the last success, if any.
-- outcomes: ended, lost
local webhook, pusher, inbox = unpack(KEYS)
local token, succeeded_at = unpack(ARGV)

if redis.call('GET', pusher) ~= token then return { 'lost' } end
redis.call('DEL', pusher)
redis.call('HDEL', webhook, 'pushing')
if succeeded_at ~= '' and redis.call('EXISTS', webhook) == 1 then
  redis.call('HSET', webhook, 'succeeded_at', succeeded_at)
end
return { 'ended', redis.call('ZCARD', inbox) }
