-- Forget a channel, its members and its history.
-- outcomes: deleted, unknown, not_the_owner
-- `by` and `by_since` name the owner who asks and when it registered; '' where anybody may.
local channel, members, channels, conversation, counters, activity = unpack(KEYS)
local channel_id, by, by_since, activity_cap = unpack(ARGV)
-- include: channel

local stored = redis.call('HGET', channel, 'owner')
if not stored then return { 'unknown' } end
if by ~= '' and (stored ~= by or not is_member(by, by_since)) then return { 'not_the_owner' } end
redis.call('UNLINK', channel, members, conversation)
redis.call('ZREM', channels, channel_id)
note('channel.deleted')
return { 'deleted' }
