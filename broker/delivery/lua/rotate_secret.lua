-- Replace the secret of a webhook; the one before is signed with as well until `old_until` (ms).
-- outcomes: rotated, absent
local agent, webhook = unpack(KEYS)
local secret, old_until, at = unpack(ARGV)

if redis.call('HEXISTS', agent, 'webhook') == 0 then return { 'absent' } end
local old = redis.call('HGET', webhook, 'secret')
redis.call('HSET', webhook, 'secret', secret, 'old_secret', old, 'old_until', old_until, 'rotated_at', at)
return { 'rotated' }
