-- Finish leased deliveries for good; the list is pairs of message id and lease token.
-- outcomes: acknowledged, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local ids, tokens = {}, {}
for index = 4, #ARGV, 2 do
  ids[#ids + 1], tokens[#tokens + 1] = ARGV[index], ARGV[index + 1]
end
if #ids == 0 then return { 'acknowledged' } end
local unfinished = redis.call('HMGET', deliveries, unpack(ids))
local lease_ends = redis.call('ZMSCORE', leased, unpack(ids))

-- The answer to the first acknowledgement may have been lost: the same token again is fine. So is it
-- where the holder has replied: that has finished the delivery as well.
local function verdict_again(token, receipt)
  if not receipt then return 'unknown_message' end
  local is_done = receipt[STATE] == 'acknowledged' or receipt[STATE] == 'replied'
  if is_done and receipt[TOKEN] == token then return 'acknowledged' end
  return 'stale_lease'
end

local verdicts, acknowledged = {}, {}
for index, id in ipairs(ids) do
  local token = tokens[index]
  if acknowledged[id] then
    verdicts[index] = verdict_again(token, acknowledged[id])
  elseif not unfinished[index] then
    local packed = redis.call('HGET', receipts, id)
    verdicts[index] = verdict_again(token, packed and unpack_delivery(packed))
  else
    local delivery = unpack_delivery(unfinished[index])
    local holds_it = holds_until(delivery, token, lease_ends[index])
    if holds_it and is_offer(delivery) then
      verdicts[index] = 'not_claimed'
    elseif holds_it then
      finish(id, delivery, 'acknowledged')
      acknowledged[id] = delivery
      verdicts[index] = 'acknowledged'
    else
      verdicts[index] = 'stale_lease'
    end
  end
end
publish_events()
touch_session()
return { 'acknowledged', unpack(verdicts) }
