-- Forget an agent.
-- outcomes: unregistered, unknown_agent
local agent, agents, heartbeats, unseen, departed, roll_version, counters, activity = unpack(KEYS)
local agent_id, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity
-- include: roll

local epoch = redis.call('HGET', agent, 'epoch')
if not epoch then return { 'unknown_agent' } end
redis.call('DEL', agent)
redis.call('HSET', departed, agent_id, epoch)
redis.call('ZREM', agents, agent_id)
redis.call('ZREM', heartbeats, agent_id)
redis.call('SREM', unseen, agent_id)
change_roll()
record_event(activity, counters, activity_cap, 'agent.deleted', { agent_id })
return { 'unregistered' }
