-- Keep a new key of an admin; with `only_first`, only where there never was one.
-- outcomes: created, not_first
local api_key, api_keys, counters, activity, first_admin_key = unpack(KEYS)
local key_id, key_name, key_scopes, key_digest, key_author, key_made_at, key_ends_at, key_leaves_at, only_first, activity_cap = unpack(ARGV)
-- include: activity
-- include: api_key

local first = not redis.call('GET', first_admin_key)
if only_first == '1' and not first then return { 'not_first' } end
if first then redis.call('SET', first_admin_key, key_id) end
keep_key()
return { 'created' }
