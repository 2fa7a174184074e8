-- Forget that an agent has direct messages with another, unless they wrote each other since.
-- outcomes: struck_off, kept
local counterparts = unpack(KEYS)
local other, last_at = unpack(ARGV)

if tonumber(redis.call('ZSCORE', counterparts, other) or -1) ~= tonumber(last_at) then
  return { 'kept' }
end
redis.call('ZREM', counterparts, other)
return { 'struck_off' }
