-- Give a key a new secret; the one before it goes on until `overlap_ends_at`.
-- outcomes: rotated, changed, unknown, ended
-- `changed`: somebody else gave it a new one since it was read; `ended`: it was revoked, or has expired.
local api_key, counters, activity = unpack(KEYS)
local key_id, digest, generation, now, overlap_ends_at, activity_cap = unpack(ARGV)
-- include: activity

local current, made, ends_at, turn = unpack(redis.call('HMGET', api_key, 'digest', 'created_at', 'expires_at', 'generation'))
if not made then return { 'unknown' } end
if not current or (ends_at and tonumber(ends_at) <= tonumber(now)) then return { 'ended' } end
if turn ~= generation then return { 'changed' } end
redis.call('HSET', api_key, 'digest', digest, 'generation', generation + 1, 'rotated_at', now)
if tonumber(overlap_ends_at) > tonumber(now) then
  redis.call('HSET', api_key, 'previous_digest', current, 'previous_until', overlap_ends_at)
else
  redis.call('HDEL', api_key, 'previous_digest', 'previous_until')
end
record_event(activity, counters, activity_cap, 'key.rotated', { key_id })
return { 'rotated' }
