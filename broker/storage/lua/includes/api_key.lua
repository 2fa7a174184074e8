-- Keeping a new key. Expects api_key, api_keys, counters, activity, activity_cap, key_id, key_name,
-- key_scopes, key_digest, key_author, key_made_at, key_ends_at (empty for none), key_leaves_at ('+inf' for
-- never), and what activity.lua gives.
local function keep_key()
  redis.call('HSET', api_key, 'name', key_name, 'scopes', key_scopes, 'digest', key_digest,
    'created_by', key_author, 'created_at', key_made_at, 'generation', 1)
  if key_ends_at ~= '' then
    redis.call('HSET', api_key, 'expires_at', key_ends_at)
    redis.call('PEXPIREAT', api_key, key_leaves_at)
  end
  redis.call('ZREMRANGEBYSCORE', api_keys, '-inf', key_made_at)
  redis.call('ZADD', api_keys, key_leaves_at, key_id)
  record_event(activity, counters, activity_cap, 'key.created', { key_id })
end
