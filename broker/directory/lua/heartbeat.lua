-- Note that an agent lives, and what it says of itself.
-- outcomes: seen, unknown_agent, stale_epoch
local agent, heartbeats, unseen = unpack(KEYS)
local agent_id, instance_id, epoch, reported = unpack(ARGV)
-- include: clock

local stored = redis.call('HMGET', agent, 'epoch', 'instance_id')
if not stored[1] then return { 'unknown_agent' } end
if epoch ~= '' and tonumber(epoch) < tonumber(stored[1]) then return { 'stale_epoch', stored[1] } end
if instance_id ~= '' and stored[2] and stored[2] ~= instance_id then
  return { 'stale_epoch', stored[1] }
end

local now = server_ms()
-- A removal first lets this pass when Redis is out of memory: nobody dies of that.
redis.call('ZREM', heartbeats, agent_id)
redis.call('SREM', unseen, agent_id)
redis.call('HSET', agent, 'last_seen', now)
if reported ~= '' then redis.call('HSET', agent, 'reported_status', reported) end
redis.call('ZADD', heartbeats, now, agent_id)
return { 'seen' }
