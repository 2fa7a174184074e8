-- Forget an agent.
-- outcomes: unregistered, unknown_agent
local agent, agents, heartbeats, counters, activity = unpack(KEYS)
local agent_id, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity

if redis.call('DEL', agent) == 0 then return { 'unknown_agent' } end
redis.call('ZREM', agents, agent_id)
redis.call('ZREM', heartbeats, agent_id)
record_event(activity, counters, activity_cap, 'agent.deleted', { agent_id })
return { 'unregistered' }
