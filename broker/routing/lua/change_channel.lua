-- Change what a channel says of itself, or whose it is.
-- outcomes: changed, unknown, not_the_owner, not_a_member
-- `by` and `by_since` name the owner who asks and when it registered; '' where anybody may. Of the
-- rest, '=' in front of a value says that it changes, '' that it stays.
local channel, members, counters, activity = unpack(KEYS)
local channel_id, by, by_since, owner, owner_since, private, topic, activity_cap = unpack(ARGV)
-- include: channel

local stored = redis.call('HGET', channel, 'owner')
if not stored then return { 'unknown' } end
if by ~= '' and (stored ~= by or not is_member(by, by_since)) then return { 'not_the_owner' } end
if owner ~= '' and not is_member(owner:sub(2), owner_since) then return { 'not_a_member' } end
for field, value in pairs({ owner = owner, private = private, topic = topic }) do
  if value ~= '' then redis.call('HSET', channel, field, value:sub(2)) end
end
-- Whoever remembers its members also remembers whether it is private.
change_membership()
note('channel.changed')
return { 'changed' }
