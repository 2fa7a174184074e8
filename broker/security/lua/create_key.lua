-- Keep a new key.
-- outcomes: created
local api_key, api_keys, counters, activity = unpack(KEYS)
local key_id, key_name, key_scopes, key_digest, key_author, key_made_at, key_ends_at, key_leaves_at, activity_cap = unpack(ARGV)
-- include: activity
-- include: api_key

keep_key()
return { 'created' }
