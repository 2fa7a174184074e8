-- Hold a partition for longer, while a large batch of it is being routed.
-- outcomes: held, lost
local drainer = unpack(KEYS)
local token, hold_ms = unpack(ARGV)
-- include: clock

if redis.call('GET', drainer) ~= token then return { 'lost' } end
redis.call('PEXPIRE', drainer, hold_ms)
return { 'held', server_ms() + hold_ms * 2 / 3 }
