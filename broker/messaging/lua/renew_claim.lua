-- Move the end of a claim; the token stays.
-- outcomes: renewed, stale_lease
local claim, claims = unpack(KEYS)
local id, agent_id, token, claim_ms = unpack(ARGV)
-- include: clock

local now = server_ms()
local holder, current, until_ms, done =
  unpack(redis.call('HMGET', claim, 'agent_id', 'token', 'until', 'done'))
if done or holder ~= agent_id or current ~= token or tonumber(until_ms) <= now then
  return { 'stale_lease' }
end

until_ms = now + tonumber(claim_ms)
local entry = id .. ' ' .. agent_id .. ' ' .. token
redis.call('ZREM', claims, entry)
redis.call('HSET', claim, 'until', until_ms)
redis.call('ZADD', claims, until_ms, entry)
return { 'renewed', until_ms }
