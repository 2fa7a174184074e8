-- Say for certain what became of a claim: it runs, it was won (its message is done), or it is over.
-- outcomes: runs, won, over
-- A claim that is over gets nothing here any more, even if its second step (hand_over.lua) comes yet.
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, id, token, until_ms = unpack(ARGV)
-- include: inbox

local delivery = delivery_of(id)
if not delivery then
  local packed = redis.call('HGET', receipts, id)
  if packed then
    local receipt = unpack_delivery(packed)
    return { DONE_BY[receipt[STATE]] and receipt[TOKEN] == token and 'won' or 'over' }
  end
  -- Its copy may be on the way here, and so may the second step.
  if tonumber(until_ms) > now then return { 'runs', until_ms } end
  return { 'over' }
end
if delivery[OFFER] == CLAIMED and delivery[TOKEN] == token then
  local ends_at = tonumber(redis.call('ZSCORE', leased, id))
  if ends_at > now then return { 'runs', ends_at } end
  attempt_ended(delivery, 'lease_ended', '')
  come_back(id, delivery, 'the claim ended without an acknowledgement')
  publish_events()
elseif delivery[OFFER] and delivery[OVER] < claim_number(token) then
  -- A removal first lets it pass when Redis is out of memory.
  redis.call('ZREM', alarms, '')
  delivery[OVER] = claim_number(token)
  save(id, delivery)
end
return { 'over' }
