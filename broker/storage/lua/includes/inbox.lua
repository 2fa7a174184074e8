-- Moves of one agent's deliveries. Expects all keys of an inbox under their names, and
-- agent_id, policy_packed; gives `now`, `policy`, and below them one function a move.
-- include: clock
-- include: activity
-- include: delivery

local now = server_ms()
local policy = cmsgpack.unpack(policy_packed)
local moved, woken = {}, {}

-- include: dead_letter

local function note(event, id)
  local ids = moved[event]
  if not ids then
    ids = {}
    moved[event] = ids
  end
  ids[#ids + 1] = id .. ':' .. agent_id
  if event == 'delivery.queued' or event == 'delivery.returned' then woken[agent_id] = true end
end

local function publish_events()
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

-- Takes the delivery out of the set that its state stands for. Removals come first in every move:
-- they are allowed when Redis is out of memory, and so is all that follows them in a script.
local function leave_state(id, delivery)
  if delivery[STATE] == 'queued' then
    redis.call('ZREM', inbox, id)
  elseif delivery[STATE] == 'leased' then
    redis.call('ZREM', leased, id)
  else
    redis.call('ZREM', waiting, id)
  end
end

local function finish(id, delivery, verdict)
  leave_state(id, delivery)
  redis.call('HDEL', deliveries, id)
  redis.call('ZREM', expiring, id)
  delivery[STATE] = verdict
  delivery[FINISHED_AT] = now
  redis.call('HSET', receipts, id, pack_delivery(delivery))
  -- The receipt stays at least until the sender's side has been told: see forget.lua.
  redis.call('ZADD', concluded, now, verdict .. ' ' .. id .. ' ' .. agent_id)
  note('delivery.' .. verdict, id)
end

local function requeue(id, delivery, event)
  leave_state(id, delivery)
  delivery[STATE] = 'queued'
  delivery[TOKEN] = ''
  save(id, delivery)
  redis.call('ZADD', inbox, delivery[ORDER], id)
  note(event, id)
end

local function wait_until(id, delivery, at)
  leave_state(id, delivery)
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
  bury_letter(id, delivery, reason, last_error, retryable)
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

-- Whether `token` still holds `delivery`. The deadline decides, not whether a sweep has passed.
local function holds(id, delivery, token)
  return delivery[STATE] == 'leased' and delivery[TOKEN] == token
    and tonumber(redis.call('ZSCORE', leased, id)) > now
end

-- Whatever came due in this inbox: ended leases, waits, lives and retentions, `limit` of each.
local function settle(limit)
  local armed = redis.call('ZSCORE', alarms, agent_id)
  if not armed or tonumber(armed) > now then return end

  for _, entry in ipairs(due_in(leased, limit)) do
    local id, delivery = entry[1], entry[2]
    note_attempt(delivery, now, 'lease_ended', '')
    if delivery[EXPIRES_AT] <= now then
      finish(id, delivery, 'expired')
    elseif delivery[ATTEMPT] >= delivery[MAX_ATTEMPTS] then
      bury(id, delivery, 'attempts_exhausted', 'the lease ended without an acknowledgement', true)
    else
      requeue(id, delivery, 'delivery.returned')
    end
  end
  for _, entry in ipairs(due_in(waiting, limit)) do
    local id, delivery = entry[1], entry[2]
    if delivery[EXPIRES_AT] <= now then
      finish(id, delivery, 'expired')
    else
      requeue(id, delivery, 'delivery.returned')
    end
  end
  for _, entry in ipairs(due_in(expiring, limit)) do
    local id, delivery = entry[1], entry[2]
    if delivery[STATE] == 'leased' then
      -- Its holder may still finish it; look again when the lease ends.
      redis.call('ZADD', expiring, redis.call('ZSCORE', leased, id), id)
    else
      finish(id, delivery, 'expired')
    end
  end
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
  if earliest then
    redis.call('ZADD', alarms, earliest, agent_id)
  else
    redis.call('ZREM', alarms, agent_id)
  end
end
