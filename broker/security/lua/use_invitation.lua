-- Use an invitation for an agent.
-- outcomes: used, spent, ended
-- Using it again for the same agent takes no further use, so that who died in between can go on.
local invitation, invited, counters, activity = unpack(KEYS)
local invitation_id, agent_id, now, leaves_at, activity_cap = unpack(ARGV)
-- include: activity

local digest, uses, expires_at = unpack(redis.call('HMGET', invitation, 'digest', 'uses', 'expires_at'))
if not digest or tonumber(expires_at) <= tonumber(now) then return { 'ended' } end
if redis.call('SISMEMBER', invited, agent_id) == 1 then return { 'used' } end
if redis.call('SCARD', invited) >= tonumber(uses) then return { 'spent' } end
redis.call('SADD', invited, agent_id)
redis.call('PEXPIREAT', invited, leaves_at)
record_event(activity, counters, activity_cap, 'invitation.used', { invitation_id, agent_id })
return { 'used' }
