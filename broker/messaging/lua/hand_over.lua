-- Lease a message to the agent that claimed it: by the claim's token, until the claim's end.
-- outcomes: handed_over, claim_over, expired, unknown_message, unknown_agent, stale_epoch
-- The claim is made in the sender's partition, and this is the second step. It may come late, or twice:
-- the number of a claim that is over is refused, and what stands already is answered the same.
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id, token, until_ms, holder = unpack(ARGV)
-- include: inbox
-- include: session
-- include: latency

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery or not delivery[OFFER] then return { 'unknown_message' } end
if delivery[OFFER] == CLAIMED and delivery[TOKEN] == token then
  local ends_at = tonumber(redis.call('ZSCORE', leased, id))
  if ends_at <= now then return { 'claim_over' } end
  return { 'handed_over', delivery[ATTEMPT], ends_at }
end
local is_over = claim_number(token) <= delivery[OVER] or tonumber(until_ms) <= now
if is_over or delivery[OFFER] == CLAIMED then return { 'claim_over' } end
if delivery[EXPIRES_AT] <= now then
  finish(id, delivery, 'expired')
  publish_events()
  return { 'expired' }
end

leave_state(id, delivery)
if delivery[DELIVERED_AT] == 0 then
  delivery[DELIVERED_AT] = now
  observe_latency(now - delivery[ACCEPTED_AT])
end
delivery[STATE] = 'leased'
delivery[ATTEMPT] = delivery[ATTEMPT] + 1
delivery[TOKEN] = token
delivery[HOLDER] = holder
delivery[OFFER] = CLAIMED
save(id, delivery)
redis.call('ZADD', leased, until_ms, id)
arm(until_ms)
note('delivery.claimed', id)
publish_events()
publish_latency(counters)
touch_session()
return { 'handed_over', delivery[ATTEMPT], tonumber(until_ms) }
