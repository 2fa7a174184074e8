-- Give a claimed message back to all to whom it was offered; the attempt is not counted.
-- outcomes: released, stale_lease, not_claimed, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id, token = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery then
  return { redis.call('HEXISTS', receipts, id) == 1 and 'stale_lease' or 'unknown_message' }
end
if not holds(id, delivery, token) then return { 'stale_lease' } end
if delivery[OFFER] ~= CLAIMED then return { 'not_claimed' } end

attempt_ended(delivery, 'released', '')
delivery[ATTEMPT] = delivery[ATTEMPT] - 1
come_back(id, delivery, 'the claim was released')
publish_events()
touch_session()
return { 'released' }
