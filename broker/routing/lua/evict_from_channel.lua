-- End the memberships of agents that are no longer who they were when they joined.
-- outcomes: evicted
-- Behind the named argument come pairs: an agent's id, and the time of registration that it joined
-- with. One that has joined anew since then stays.
local channel, members, counters, activity = unpack(KEYS)
local channel_id, activity_cap = unpack(ARGV)
-- include: channel

local evicted = 0
local owner = redis.call('HGET', channel, 'owner')
for index = 3, #ARGV, 2 do
  local agent_id, since = ARGV[index], ARGV[index + 1]
  if is_member(agent_id, since) then
    redis.call('ZREM', members, agent_id)
    if owner == agent_id then redis.call('HSET', channel, 'owner', '') end
    note('channel.left', agent_id)
    evicted = evicted + 1
  end
end
if evicted > 0 then change_membership() end
return { 'evicted', evicted }
