-- Move the end of a lease; the token stays.
-- outcomes: extended, renew_claim, stale_lease, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id, token, lease_ms = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery then
  return { redis.call('HEXISTS', receipts, id) == 1 and 'stale_lease' or 'unknown_message' }
end
if not holds(id, delivery, token) then return { 'stale_lease' } end
-- The sender's side must move first: it tells the others until when the message is taken.
if delivery[OFFER] == CLAIMED then return { 'renew_claim' } end

local until_ms = now + tonumber(lease_ms)
redis.call('ZREM', leased, id)
redis.call('ZADD', leased, until_ms, id)
arm(until_ms)
touch_session()
return { 'extended', until_ms }
