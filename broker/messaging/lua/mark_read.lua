-- Note that the recipient has read a message, whether or not it holds a lease on it.
-- outcomes: read, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local store = deliveries
local packed = redis.call('HGET', store, id)
if not packed then
  store = receipts
  packed = redis.call('HGET', store, id)
end
if not packed then return { 'unknown_message' } end
local delivery = unpack_delivery(packed)
if delivery[READ_AT] == 0 then
  delivery[READ_AT] = now
  redis.call('HSET', store, id, pack_delivery(delivery))
  note('delivery.read', id)
end
touch_session()
publish_events()
return { 'read', delivery[READ_AT] }
