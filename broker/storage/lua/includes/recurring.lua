-- Moves of one recurring message. Expects recurring, index, due, turns, counters, activity,
-- recurring_id, activity_cap.
-- include: clock
-- include: activity

local function note(event)
  record_event(activity, counters, activity_cap, event, { recurring_id })
end

-- Whether it is active and this slot is its next.
local function stands_at(slot)
  local state, next_at = unpack(redis.call('HMGET', recurring, 'state', 'next_at'))
  return state == 'active' and next_at == slot
end

local function await(next_at)
  redis.call('HSET', recurring, 'state', 'active', 'next_at', next_at)
  redis.call('ZADD', due, next_at, recurring_id)
end

-- It stays readable for as long as finished messages do.
local function finish(state, retention_ms)
  local now = server_ms()
  redis.call('HSET', recurring, 'state', state, 'ended_at', now)
  redis.call('HDEL', recurring, 'next_at')
  redis.call('ZREM', due, recurring_id)
  redis.call('ZADD', index, now + retention_ms, recurring_id)
  -- Redis takes no expiry of 0: it would be the same as deleting what the caller still reads.
  redis.call('PEXPIRE', recurring, math.max(1, retention_ms))
  redis.call('PEXPIRE', turns, math.max(1, retention_ms))
end

-- Count what became of the slots up to `last_slot`, then wait for `next_at` ('': there is none).
local function move_on(counter, amount, entry, last_slot, next_at, ended_state, retention_ms, turns_kept)
  redis.call('HINCRBY', recurring, counter, amount)
  redis.call('HSET', recurring, 'last_slot', last_slot)
  if entry ~= '' then
    redis.call('LPUSH', turns, entry)
    redis.call('LTRIM', turns, 0, turns_kept - 1)
  end
  if next_at == '' then finish(ended_state, retention_ms) else await(next_at) end
end
