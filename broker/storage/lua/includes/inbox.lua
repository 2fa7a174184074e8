-- Moves of one agent's deliveries. Expects all keys of an inbox under their names, and
-- agent_id, policy_packed; gives `now`, `policy`, and below them one function a move.
-- include: clock
-- include: activity
-- include: delivery

local now = server_ms()
local policy = cmsgpack.unpack(policy_packed)
local moved, woken = {}, {}
local left = { queued = {}, leased = {}, waiting = {} }
local finished, finished_receipts, verdicts_to_tell = {}, {}, {}

-- include: dead_letter
-- include: offer

local function note(event, id)
  local ids = moved[event]
  if not ids then
    ids = {}
    moved[event] = ids
  end
  ids[#ids + 1] = id .. ':' .. agent_id
  if event == 'delivery.queued' or event == 'delivery.returned' then woken[agent_id] = true end
end

-- Writes what `finish` collected, in one command for many. To be called before anything reads this
-- inbox again or writes what needs room: removals come first in every move, since they are allowed
-- when Redis is out of memory, and so is all that follows them in a script.
local function write_finished()
  if #finished == 0 then return end
  for state, from in pairs({ queued = inbox, leased = leased, waiting = waiting }) do
    if #left[state] > 0 then redis.call('ZREM', from, unpack(left[state])) end
    left[state] = {}
  end
  redis.call('HDEL', deliveries, unpack(finished))
  redis.call('ZREM', expiring, unpack(finished))
  redis.call('HSET', receipts, unpack(finished_receipts))
  -- The receipt stays at least until the sender's side has been told: see forget.lua.
  redis.call('ZADD', concluded, unpack(verdicts_to_tell))
  finished, finished_receipts, verdicts_to_tell = {}, {}, {}
end

local function publish_events()
  write_finished()
  for event, ids in pairs(moved) do
    record_event(activity, counters, policy.activity_cap, event, ids)
  end
  for arrived_at in pairs(woken) do redis.call('PUBLISH', policy.arrivals, arrived_at) end
end

local function arm(at)
  redis.call('ZADD', alarms, 'LT', at, agent_id)
end

local function delivery_of(id)
  local packed = redis.call('HGET', deliveries, id)
  return packed and unpack_delivery(packed)
end

local function save(id, delivery)
  redis.call('HSET', deliveries, id, pack_delivery(delivery))
end

-- Takes the delivery out of the set that its state stands for.
local function leave_state(id, delivery)
  if delivery[STATE] == 'queued' then
    redis.call('ZREM', inbox, id)
  elseif delivery[STATE] == 'leased' then
    redis.call('ZREM', leased, id)
  else
    redis.call('ZREM', waiting, id)
  end
end

-- A ticket is kept for as long as its reply is awaited, which the sender's side is told with the verdict.
local function awaited(delivery, verdict)
  local timeout_at = delivery[TIMEOUT_AT] or 0
  if verdict == 'replied' or timeout_at <= now then return '' end
  return string.format(':%d', timeout_at)
end

local function finish(id, delivery, verdict)
  local leaving_state = left[delivery[STATE]]
  if leaving_state then leaving_state[#leaving_state + 1] = id end
  delivery[STATE] = verdict
  delivery[FINISHED_AT] = now
  local claim = end_claim(id, delivery, DONE_BY[verdict] and 'claim_won' or 'claim_lost')
  if claim then
    verdicts_to_tell[#verdicts_to_tell + 1] = now
    verdicts_to_tell[#verdicts_to_tell + 1] = claim
  end
  finished[#finished + 1] = id
  finished_receipts[#finished_receipts + 1] = id
  finished_receipts[#finished_receipts + 1] = pack_delivery(delivery)
  verdicts_to_tell[#verdicts_to_tell + 1] = now
  verdicts_to_tell[#verdicts_to_tell + 1] = verdict .. awaited(delivery, verdict) .. ' ' .. id .. ' ' .. agent_id
  note('delivery.' .. verdict, id)
end

local function requeue(id, delivery, event)
  leave_state(id, delivery)
  tell_of(end_claim(id, delivery, 'claim_lost'))
  delivery[STATE] = 'queued'
  delivery[TOKEN] = ''
  save(id, delivery)
  redis.call('ZADD', inbox, delivery[ORDER], id)
  note(event, id)
end

local function wait_until(id, delivery, at)
  leave_state(id, delivery)
  tell_of(end_claim(id, delivery, 'claim_lost'))
  delivery[STATE] = 'waiting'
  delivery[TOKEN] = ''
  save(id, delivery)
  redis.call('ZADD', waiting, at, id)
  arm(at)
  note('delivery.waiting', id)
end

local function bury(id, delivery, reason, last_error, retryable)
  delivery[DEATHS] = delivery[DEATHS] + 1
  finish(id, delivery, 'dead')
  write_finished()
  bury_letter(id, delivery, reason, last_error, retryable)
end

-- An attempt ended without a verdict: the next one begins, if there is time and there are any left.
local function come_back(id, delivery, last_error)
  if delivery[EXPIRES_AT] <= now then
    finish(id, delivery, 'expired')
  elseif delivery[ATTEMPT] >= delivery[MAX_ATTEMPTS] then
    bury(id, delivery, 'attempts_exhausted', last_error, true)
  else
    requeue(id, delivery, 'delivery.returned')
  end
end

-- The deliveries of a timed set that came due, each with its id.
local function due_in(timed, limit)
  local due = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', timed, '-inf', now, 'LIMIT', 0, limit)) do
    local delivery = delivery_of(id)
    if delivery then
      due[#due + 1] = { id, delivery }
    else
      redis.call('ZREM', timed, id)
    end
  end
  return due
end

-- Whether `token` still holds a delivery whose lease ends at `ends_at`. The deadline decides, not
-- whether a sweep has passed.
local function holds_until(delivery, token, ends_at)
  return delivery[STATE] == 'leased' and delivery[TOKEN] == token and tonumber(ends_at) > now
end

local function holds(id, delivery, token)
  return holds_until(delivery, token, redis.call('ZSCORE', leased, id))
end

-- Whether somebody holds the delivery now; a lease that ended holds nothing, nor does one on an offer.
local function is_held(id, delivery)
  return delivery[STATE] == 'leased' and not is_offer(delivery)
    and tonumber(redis.call('ZSCORE', leased, id)) > now
end

-- Whatever came due in this inbox: ended leases, waits, lives and retentions, `limit` of each.
local function settle(limit)
  local armed = redis.call('ZSCORE', alarms, agent_id)
  if not armed or tonumber(armed) > now then return end
  -- A removal first, for the sake of a Redis that is out of memory; it is set again at the end.
  redis.call('ZREM', alarms, agent_id)

  for _, entry in ipairs(due_in(leased, limit)) do
    local id, delivery = entry[1], entry[2]
    attempt_ended(delivery, 'lease_ended', '')
    come_back(id, delivery, 'the lease ended without an acknowledgement')
  end
  write_finished()
  for _, entry in ipairs(due_in(waiting, limit)) do
    local id, delivery = entry[1], entry[2]
    if delivery[EXPIRES_AT] <= now then
      finish(id, delivery, 'expired')
    else
      requeue(id, delivery, 'delivery.returned')
    end
  end
  write_finished()
  for _, entry in ipairs(due_in(expiring, limit)) do
    local id, delivery = entry[1], entry[2]
    if delivery[STATE] == 'leased' then
      -- Its holder may still finish it; look again when the lease ends.
      redis.call('ZADD', expiring, redis.call('ZSCORE', leased, id), id)
    else
      finish(id, delivery, 'expired')
    end
  end
  write_finished()
  local gone = redis.call('ZRANGEBYSCORE', leaving, '-inf', now, 'LIMIT', 0, limit)
  if #gone > 0 then
    redis.call('ZREM', leaving, unpack(gone))
    redis.call('HDEL', receipts, unpack(gone))
  end

  local earliest
  for _, timed in ipairs({ leased, waiting, expiring, leaving }) do
    local first = redis.call('ZRANGE', timed, 0, 0, 'WITHSCORES')
    local at = first[2] and tonumber(first[2])
    if at and (not earliest or at < earliest) then earliest = at end
  end
  if earliest then redis.call('ZADD', alarms, earliest, agent_id) end
end
