-- Claim a message for one of those to whom it was offered.
-- outcomes: claimed, held, ended, done, not_offered, absent
-- `held` gives the holder, token and end of the claim that stands in the way, or of this agent's own;
-- `ended` the same of one whose time is over, which conclude_claim.lua must confirm first.
local record, audience, claim, claims, sequence = unpack(KEYS)
local id, agent_id, claim_ms, seed = unpack(ARGV)
-- include: clock

local lifetime = redis.call('PTTL', record)
if lifetime < 0 then return { 'absent' } end
if redis.call('SISMEMBER', audience, agent_id) == 0 then return { 'not_offered' } end

local now = server_ms()
local holder, token, until_ms, done = unpack(redis.call('HMGET', claim, 'agent_id', 'token', 'until', 'done'))
if done then return { 'done' } end
if holder then
  -- The same call again, after its answer was lost, has the same claim.
  local outcome = tonumber(until_ms) <= now and 'ended' or holder == agent_id and 'claimed' or 'held'
  return { outcome, holder, token, until_ms }
end

token = string.format('%d-%s', redis.call('INCR', sequence), seed)
until_ms = now + tonumber(claim_ms)
redis.call('HSET', claim, 'agent_id', agent_id, 'token', token, 'until', until_ms)
redis.call('PEXPIRE', claim, lifetime)
redis.call('ZADD', claims, until_ms, id .. ' ' .. agent_id .. ' ' .. token)
return { 'claimed', agent_id, token, until_ms }
