-- Make a channel, with its owner as its first member.
-- outcomes: created, same, taken
local channel, members, channels, counters, activity = unpack(KEYS)
local channel_id, owner, since, private, topic, activity_cap = unpack(ARGV)
-- include: channel

local stored = redis.call('HMGET', channel, 'owner', 'private', 'topic')
if stored[2] then
  local same = stored[1] == owner and stored[2] == private and stored[3] == topic and is_member(owner, since)
  return { same and 'same' or 'taken' }
end
local now = server_ms()
-- Versions go on from the time, so that a channel never has one of a namesake before it.
redis.call('HSET', channel, 'owner', owner, 'private', private, 'topic', topic, 'created_at', now,
  'version', now * 1000)
redis.call('ZADD', members, since, owner)
redis.call('ZADD', channels, 0, channel_id)
note('channel.created', owner)
return { 'created' }
