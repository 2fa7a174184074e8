-- Make an agent a member of a channel.
-- outcomes: joined, member, unknown, private, not_a_member
-- `by` and `by_since` name the member who invites and when it registered; '' where the agent comes by
-- itself, '*' where whoever invites need not be a member.
local channel, members, counters, activity = unpack(KEYS)
local channel_id, agent_id, since, by, by_since, activity_cap = unpack(ARGV)
-- include: channel

local stored = redis.call('HMGET', channel, 'owner', 'private')
if not stored[2] then return { 'unknown' } end
if by == '' then
  if is_member(agent_id, since) then return { 'member' } end
  if stored[2] == '1' then return { 'private' } end
elseif by ~= '*' and not is_member(by, by_since) then
  return { 'not_a_member' }
elseif is_member(agent_id, since) then
  return { 'member' }
end
redis.call('ZADD', members, since, agent_id)
-- Its namesake, who was deleted, may have been the owner: that is not inherited.
if stored[1] == agent_id then redis.call('HSET', channel, 'owner', '') end
change_membership()
note('channel.joined', agent_id)
return { 'joined' }
