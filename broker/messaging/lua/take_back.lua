-- Another recipient claimed the message and finished it: take the offer back.
-- outcomes: taken_back, unchanged
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, id = unpack(ARGV)
-- include: inbox

local delivery = delivery_of(id)
if not delivery or not is_offer(delivery) then return { 'unchanged' } end
finish(id, delivery, 'taken')
publish_events()
return { 'taken_back' }
