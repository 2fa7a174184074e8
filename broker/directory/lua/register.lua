-- Register an agent, or renew its registration; a new instance opens a new session (SPEC R8).
-- outcomes: created, renewed, new_session, changed
-- `changed`: the profile is no longer the `expected` one; read it again.
local agent, agents, heartbeats, unseen, departed, roll_version, counters, activity = unpack(KEYS)
local agent_id, expected, profile, instance_id, max_depth, on_full, present, reaped, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity
-- include: registration

local stored = redis.call('HMGET', agent, 'profile', 'instance_id', 'epoch')
if (stored[1] or '') ~= expected then return { 'changed' } end
return register_agent(tonumber(stored[3] or 0), stored[2])
