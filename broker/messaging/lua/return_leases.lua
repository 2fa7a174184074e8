-- Put leased messages back at once: those named as pairs of id and token, or else all of them.
-- outcomes: returned
-- With `silent_ms` none, unless the agent has given no sign of life for so long. A return that is not
-- the consumer's failure (`counted` = 0) does not use up an attempt.
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, limit, counted, silent_ms = unpack(ARGV)
-- include: inbox

local seen = silent_ms ~= '' and redis.call('ZSCORE', heartbeats, agent_id)
if seen and tonumber(seen) > now - tonumber(silent_ms) then return { 'returned', 0 } end

local ids, token_of = {}, {}
if #ARGV > 5 then
  for index = 6, #ARGV, 2 do
    ids[#ids + 1] = ARGV[index]
    token_of[ARGV[index]] = ARGV[index + 1]
  end
else
  ids = redis.call('ZRANGE', leased, 0, tonumber(limit) - 1)
end

local returned = 0
for _, id in ipairs(ids) do
  local delivery = delivery_of(id)
  if delivery and delivery[STATE] == 'leased'
    and (not token_of[id] or token_of[id] == delivery[TOKEN]) then
    returned = returned + 1
    attempt_ended(delivery, 'returned', '')
    if counted == '0' and not is_offer(delivery) then
      delivery[ATTEMPT] = delivery[ATTEMPT] - 1
    end
    come_back(id, delivery, 'the session that held it ended')
  end
end
publish_events()
return { 'returned', returned }
