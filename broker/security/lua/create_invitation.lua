-- Keep a new invitation.
-- outcomes: created
local invitation, invitations, counters, activity = unpack(KEYS)
local invitation_id, pattern, uses, digest, author, now, expires_at, leaves_at, activity_cap = unpack(ARGV)
-- include: activity

redis.call('HSET', invitation, 'pattern', pattern, 'uses', uses, 'digest', digest, 'created_by', author,
  'created_at', now, 'expires_at', expires_at)
redis.call('PEXPIREAT', invitation, leaves_at)
redis.call('ZREMRANGEBYSCORE', invitations, '-inf', now)
redis.call('ZADD', invitations, leaves_at, invitation_id)
record_event(activity, counters, activity_cap, 'invitation.created', { invitation_id })
return { 'created' }
