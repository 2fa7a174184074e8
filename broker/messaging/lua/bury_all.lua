-- Turn everything that waits for an agent into dead letters, because the agent is gone.
-- outcomes: buried
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, limit = unpack(ARGV)
-- include: inbox

local buried = 0
for _, id in ipairs(redis.call('ZRANGE', expiring, 0, tonumber(limit) - 1)) do
  local delivery = delivery_of(id)
  if delivery then
    bury(id, delivery, 'agent_deleted', 'the recipient was deleted', false)
    buried = buried + 1
  else
    redis.call('ZREM', expiring, id)
  end
end
publish_events()
return { 'buried', buried }
