-- Withdraw an invitation: from this call on nobody gets in by it. A repeat finds it withdrawn.
-- outcomes: revoked, unknown
local invitation, counters, activity = unpack(KEYS)
local invitation_id, now, activity_cap = unpack(ARGV)
-- include: activity

local made, revoked_at = unpack(redis.call('HMGET', invitation, 'created_at', 'revoked_at'))
if not made then return { 'unknown' } end
if revoked_at then return { 'revoked' } end
-- A removal first: it must pass when Redis is out of memory.
redis.call('HDEL', invitation, 'digest')
redis.call('HSET', invitation, 'revoked_at', now)
record_event(activity, counters, activity_cap, 'invitation.revoked', { invitation_id })
return { 'revoked' }
