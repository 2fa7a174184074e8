-- Let everything that came due in one inbox happen: ended leases, waits, lives, retentions.
-- outcomes: settled
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, limit = unpack(ARGV)
-- include: inbox

settle(tonumber(limit))
publish_events()
local next_alarm = redis.call('ZSCORE', alarms, agent_id)
return { 'settled', next_alarm and tonumber(next_alarm) <= now and 1 or 0 }
