-- Revoke a key: from this call on it opens nothing. A repeat finds it revoked.
-- outcomes: revoked, unknown
local api_key, api_keys, counters, activity = unpack(KEYS)
local key_id, now, leaves_at, activity_cap = unpack(ARGV)
-- include: activity

local made, revoked_at = unpack(redis.call('HMGET', api_key, 'created_at', 'revoked_at'))
if not made then return { 'unknown' } end
if revoked_at then return { 'revoked' } end
-- A removal first: it must pass when Redis is out of memory.
redis.call('HDEL', api_key, 'digest', 'previous_digest', 'previous_until')
redis.call('HSET', api_key, 'revoked_at', now)
redis.call('PEXPIREAT', api_key, leaves_at)
redis.call('ZADD', api_keys, leaves_at, key_id)
record_event(activity, counters, activity_cap, 'key.revoked', { key_id })
return { 'revoked' }
