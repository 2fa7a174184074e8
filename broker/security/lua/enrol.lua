-- Register a new agent and keep the key that it gets, in one step: there is never one without the other.
-- outcomes: created, taken
-- `taken`: the agent is registered, or some key speaks for it already. Of two who ask at once, one gets it.
local agent, agents, heartbeats, unseen, departed, roll_version, counters, activity, api_key, api_keys, agent_keys = unpack(KEYS)
local agent_id, profile, instance_id, max_depth, on_full, present, reaped, activity_cap, key_id, key_name, key_scopes, key_digest, key_author, key_made_at, key_ends_at, key_leaves_at = unpack(ARGV)
-- include: clock
-- include: activity
-- include: registration
-- include: api_key

if redis.call('EXISTS', agent) == 1 then return { 'taken' } end
if redis.call('ZCOUNT', agent_keys, '(' .. key_made_at, '+inf') > 0 then return { 'taken' } end
keep_key()
redis.call('ZADD', agent_keys, key_ends_at == '' and '+inf' or key_ends_at, key_id)
return register_agent(0, '')
