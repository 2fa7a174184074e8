-- Say whether an agent may claim a message: whether its copy is an offer, or claimed by it already.
-- outcomes: offered, not_claimable, expired, finished, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery then
  local packed = redis.call('HGET', receipts, id)
  if not packed then return { 'unknown_message' } end
  return { 'finished', unpack_delivery(packed)[STATE] }
end
if not delivery[OFFER] then return { 'not_claimable' } end
if is_offer(delivery) and delivery[EXPIRES_AT] <= now then return { 'expired' } end
touch_session()
return { 'offered' }
