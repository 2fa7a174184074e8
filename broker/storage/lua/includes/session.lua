-- The agent's session. Expects agent, agent_id, heartbeats and what inbox.lua gives.

-- Refuses who was superseded by a newer session (SPEC R8); an empty epoch claims none.
local function refuse_session(epoch)
  local current = redis.call('HGET', agent, 'epoch')
  if not current then return { 'unknown_agent' } end
  if epoch ~= '' and tonumber(epoch) < tonumber(current) then return { 'stale_epoch', current } end
end

-- A removal first: it lets the script pass when Redis is out of memory, and needs no more room after.
local function touch_session()
  redis.call('ZREM', heartbeats, agent_id)
  redis.call('HSET', agent, 'last_seen', now)
  redis.call('ZADD', heartbeats, now, agent_id)
end
