-- A claim is over: what was put aside because of it is offered again at once.
-- outcomes: offered_again, unchanged
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, id, number = unpack(ARGV)
-- include: inbox

local delivery = delivery_of(id)
if not delivery or not delivery[OFFER] or delivery[OVER] >= tonumber(number) then return { 'unchanged' } end
delivery[OVER] = tonumber(number)
if delivery[OFFER] ~= ASIDE then
  -- A removal first lets it pass when Redis is out of memory.
  redis.call('ZREM', alarms, '')
  save(id, delivery)
  return { 'unchanged' }
end
requeue(id, delivery, 'delivery.returned')
publish_events()
return { 'offered_again' }
