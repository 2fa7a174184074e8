-- End an agent's membership of a channel.
-- outcomes: left, absent, unknown, owner, not_the_owner
-- `by` and `by_since` name the owner who sends it away and when it registered; '' where it goes by
-- itself, or anybody may.
local channel, members, counters, activity = unpack(KEYS)
local channel_id, agent_id, since, by, by_since, activity_cap = unpack(ARGV)
-- include: channel

local stored = redis.call('HGET', channel, 'owner')
if not stored then return { 'unknown' } end
if by ~= '' and (stored ~= by or not is_member(by, by_since)) then return { 'not_the_owner' } end
if not is_member(agent_id, since) then return { 'absent' } end
if stored == agent_id then return { 'owner' } end
redis.call('ZREM', members, agent_id)
change_membership()
note('channel.left', agent_id)
return { 'left' }
