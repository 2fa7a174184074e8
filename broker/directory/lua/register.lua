-- Register an agent, or renew its registration; a new instance opens a new session (SPEC R8).
-- outcomes: created, renewed, new_session, changed
-- `changed`: the profile is no longer the `expected` one; read it again.
local agent, agents, heartbeats, unseen, departed, counters, activity = unpack(KEYS)
local agent_id, expected, profile, instance_id, max_depth, on_full, present, reaped, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity

local stored = redis.call('HMGET', agent, 'profile', 'instance_id', 'epoch')
if (stored[1] or '') ~= expected then return { 'changed' } end

local now = server_ms()
local epoch = tonumber(stored[3] or 0)
local outcome = 'renewed'
if epoch == 0 then
  outcome = 'created'
  -- One that comes back after its deletion goes on counting, or its old sessions would be current.
  epoch = tonumber(redis.call('HGET', departed, agent_id) or 0) + 1
  redis.call('HDEL', departed, agent_id)
  redis.call('HSET', agent, 'registered_at', now)
elseif instance_id ~= '' and stored[2] ~= instance_id then
  outcome = 'new_session'
  epoch = epoch + 1
end
redis.call('HSET', agent, 'profile', profile, 'epoch', epoch)
if present == '1' then
  redis.call('HSET', agent, 'last_seen', now)
  redis.call('SREM', unseen, agent_id)
elseif outcome == 'created' then
  -- Somebody else registers it: it has never been there itself.
  redis.call('HSET', agent, 'last_seen', 0)
  redis.call('SADD', unseen, agent_id)
end
if instance_id ~= '' then redis.call('HSET', agent, 'instance_id', instance_id) end
for field, value in pairs({ max_depth = max_depth, on_full = on_full }) do
  if value ~= '' then redis.call('HSET', agent, field, value) end
end
redis.call('ZADD', agents, 0, agent_id)
if present == '1' and reaped == '1' then redis.call('ZADD', heartbeats, now, agent_id) end
record_event(activity, counters, activity_cap, 'agent.registered', { agent_id })
return { outcome, epoch }
