-- Stop counting an agent as present that has been silent for too long; it stays registered.
-- outcomes: retired, present
local heartbeats, counters, activity = unpack(KEYS)
local agent_id, silence_ms, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity

local seen = redis.call('ZSCORE', heartbeats, agent_id)
if not seen or tonumber(seen) > server_ms() - tonumber(silence_ms) then return { 'present' } end
redis.call('ZREM', heartbeats, agent_id)
record_event(activity, counters, activity_cap, 'agent.offline', { agent_id })
return { 'retired' }
