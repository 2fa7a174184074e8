-- Take back a message that its recipient does not hold yet.
-- outcomes: withdrawn, leased, finished, absent
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, id, verdict = unpack(ARGV)
-- include: inbox

local delivery = delivery_of(id)
if not delivery then
  local packed = redis.call('HGET', receipts, id)
  if packed then return { 'finished', unpack_delivery(packed)[STATE] } end
  return { 'absent' }
end
if is_held(id, delivery) then return { 'leased' } end
finish(id, delivery, verdict)
publish_events()
return { 'withdrawn' }
