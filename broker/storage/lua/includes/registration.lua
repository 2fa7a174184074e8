-- Registering an agent. Expects agent, agents, heartbeats, unseen, departed, roll_version, counters,
-- activity, agent_id, profile, instance_id, max_depth, on_full, present, reaped, activity_cap and what
-- clock.lua and activity.lua give.
-- include: roll

-- `epoch` and `instance` are those of the registration before; 0 and '' where there was none.
local function register_agent(epoch, instance)
  local now = server_ms()
  local outcome = 'renewed'
  if epoch == 0 then
    outcome = 'created'
    -- One that comes back after its deletion goes on counting, or its old sessions would be current.
    epoch = tonumber(redis.call('HGET', departed, agent_id) or 0) + 1
    redis.call('HDEL', departed, agent_id)
    redis.call('HSET', agent, 'registered_at', now)
  elseif instance_id ~= '' and instance ~= instance_id then
    outcome = 'new_session'
    epoch = epoch + 1
  end
  local before = redis.call('HMGET', agent, 'profile', 'max_depth')
  if outcome == 'created' or before[1] ~= profile or max_depth ~= '' and before[2] ~= max_depth then
    change_roll()
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
end
