-- Finish leased deliveries for good; the list is pairs of message id and lease token.
-- outcomes: acknowledged, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local verdicts = {}
for index = 4, #ARGV, 2 do
  local id, token = ARGV[index], ARGV[index + 1]
  local delivery = delivery_of(id)
  local verdict = 'stale_lease'
  if delivery then
    if holds(id, delivery, token) then
      finish(id, delivery, 'acknowledged')
      verdict = 'acknowledged'
    end
  else
    -- The answer to the first acknowledgement may have been lost: the same token again is fine.
    local packed = redis.call('HGET', receipts, id)
    local finished = packed and unpack_delivery(packed)
    if not finished then
      verdict = 'unknown_message'
    elseif finished[STATE] == 'acknowledged' and finished[TOKEN] == token then
      verdict = 'acknowledged'
    end
  end
  verdicts[#verdicts + 1] = verdict
end
touch_session()
publish_events()
return { 'acknowledged', unpack(verdicts) }
