-- Give a leased delivery back: wait for the next attempt, or die; turn an offer down, for now or for good.
-- outcomes: waiting, dead, declined, expired, stale_lease, unknown_message, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, epoch, id, token, reason, delay_ms, permanent, jitter = unpack(ARGV)
-- include: inbox
-- include: session
-- include: backoff

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(id)
if not delivery then
  return { redis.call('HEXISTS', receipts, id) == 1 and 'stale_lease' or 'unknown_message' }
end
if not holds(id, delivery, token) then return { 'stale_lease' } end

attempt_ended(delivery, 'rejected', reason)
local outcome
if permanent == '1' and is_offer(delivery) then
  finish(id, delivery, 'declined')
  outcome = { 'declined' }
elseif permanent == '1' then
  bury(id, delivery, 'rejected', reason, false)
  outcome = { 'dead' }
elseif delivery[ATTEMPT] >= delivery[MAX_ATTEMPTS] then
  bury(id, delivery, 'attempts_exhausted', reason, true)
  outcome = { 'dead' }
elseif delivery[EXPIRES_AT] <= now then
  finish(id, delivery, 'expired')
  outcome = { 'expired' }
else
  local delay = delay_ms ~= '' and tonumber(delay_ms)
    or backoff_ms(delivery[RETRY_DELAY], math.max(1, delivery[ATTEMPT]), policy.retry_max_delay_ms, tonumber(jitter))
  wait_until(id, delivery, now + delay)
  settle(1)
  outcome = { 'waiting', now + delay }
end
publish_events()
if delivery[HOLDER] ~= PUSHER then touch_session() end
return outcome
