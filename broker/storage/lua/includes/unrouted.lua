-- Messages that stand in no inbox yet. Expects ingress, delayed, sent, taken.
local ORDER_STEP = 2 ^ 48

-- A delayed message keeps its priority in its name, since its score is its time.
local function delayed_member(order_base, id)
  return string.format('%d:%s', 9 - order_base / ORDER_STEP, id)
end

local function split_delayed(member)
  local priority, id = member:match('^(%d):(.+)$')
  return (9 - tonumber(priority)) * ORDER_STEP, id
end

-- Whether a routing worker may have this message in its hands, or had it when it died: such a message
-- may stand in inboxes already. What has come since with more urgency counts as well.
local function in_flight(order)
  local up_to = redis.call('GET', taken)
  return up_to and order <= tonumber(up_to)
end

-- `message` is {id, order base, recipients, record ms}. Gives withdrawn, absent, or in_flight with its
-- order.
local function withdraw_unrouted(message, verdict_key, verdict, now)
  local id, order_base, recipients, record_ms = unpack(message)
  if redis.call('ZREM', delayed, delayed_member(order_base, id)) == 0 then
    local order = redis.call('ZSCORE', ingress, id)
    if not order then return 'absent' end
    if in_flight(tonumber(order)) then return 'in_flight', tonumber(order) end
    redis.call('ZREM', ingress, id)
  end
  for _, recipient in ipairs(recipients) do
    -- Only agents named one by one were counted: see admission.lua.
    if redis.call('HEXISTS', sent, recipient) == 1 then redis.call('HINCRBY', sent, recipient, -1) end
  end
  redis.call('SET', verdict_key, verdict .. ' ' .. now, 'PX', record_ms)
  return 'withdrawn'
end
