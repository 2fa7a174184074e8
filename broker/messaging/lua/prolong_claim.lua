-- Let the lease of a claimed message end when its claim does, whose end has been moved.
-- outcomes: prolonged, stale_lease, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id, token, until_ms = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery then
  return { redis.call('HEXISTS', receipts, id) == 1 and 'stale_lease' or 'unknown_message' }
end
if delivery[OFFER] ~= CLAIMED or not holds(id, delivery, token) then return { 'stale_lease' } end

redis.call('ZREM', leased, id)
redis.call('ZADD', leased, until_ms, id)
arm(until_ms)
touch_session()
return { 'prolonged' }
