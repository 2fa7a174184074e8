-- A claim is over: its message is free again, and the sweep has those to tell who wait for that.
-- outcomes: freed, unchanged
-- Only conclude_claim.lua, or the outbox of the holder's side, says that it is over. Safe to repeat.
local claim, claims = unpack(KEYS)
local id, agent_id, token = unpack(ARGV)

local current, done = unpack(redis.call('HMGET', claim, 'token', 'done'))
if done or current ~= token then return { 'unchanged' } end
redis.call('DEL', claim)
redis.call('ZADD', claims, 'XX', 0, id .. ' ' .. agent_id .. ' ' .. token)
return { 'freed' }
