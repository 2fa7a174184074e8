-- Put routed messages into the inboxes of one partition.
-- outcomes: committed, late
-- Behind the named keys come nine an agent (see below), behind the named arguments one packed list
-- an agent: its id, its default depth, then its messages. Safe to repeat: what stands in an inbox, or
-- has finished there, is passed over.
local alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity = unpack(KEYS)
local policy_packed, valid_until = unpack(ARGV)
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, arrived, agent_id
-- include: inbox

local ID, ORDER_BASE, EXPIRES, ATTEMPTS, DELAY, LIFE, ACCEPTED, SOURCE, PROMISED, HELD, SUPERSEDES =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

-- A drainer that was stopped for too long may find that another has taken over and that its messages
-- came and went meanwhile.
if now > tonumber(valid_until) then return { 'late' } end

-- A move within Redis needs hardly any room, and makes some when it is consumed: a removal first
-- lets the script pass when Redis is out of memory.
redis.call('ZREM', alarms, '')

local function supersede(id)
  local delivery = delivery_of(id)
  if delivery and delivery[STATE] ~= 'leased' then finish(id, delivery, 'superseded') end
end

-- The first come of the lowest priority gives way.
local function drop_oldest()
  local last = redis.call('ZRANGE', inbox, -1, -1, 'WITHSCORES')
  if not last[2] then return end
  local lowest = tonumber(last[2]) - tonumber(last[2]) % 2 ^ 48
  local oldest = redis.call('ZRANGEBYSCORE', inbox, lowest, '+inf', 'LIMIT', 0, 1)[1]
  finish(oldest, delivery_of(oldest), 'dropped')
end

local function place(item, max_depth, on_full, registered)
  local id = item[ID]
  local delivery = {
    'accepted', item[ORDER_BASE] + redis.call('INCR', sequence), 0, '', item[ATTEMPTS], item[EXPIRES],
    now, 0, 0, 0, item[DELAY], item[LIFE], '', {}, 0, item[ACCEPTED],
  }
  if item[SOURCE] then redis.call('HINCRBY', arrived, item[SOURCE], 1) end
  if item[SUPERSEDES] ~= '' then supersede(item[SUPERSEDES]) end
  if item[EXPIRES] <= now then return finish(id, delivery, 'expired') end
  if not registered and item[HELD] == 0 then
    return bury(id, delivery, 'unknown_agent', 'the recipient is no longer registered', false)
  end
  if redis.call('HLEN', deliveries) >= max_depth then
    if on_full == 'drop_newest' then return finish(id, delivery, 'dropped') end
    if on_full == 'drop_oldest' then
      drop_oldest()
    elseif item[PROMISED] == 0 then
      return bury(id, delivery, 'inbox_full', 'the inbox was at its limit', true)
    end
  end
  delivery[STATE] = 'queued'
  redis.call('HSET', deliveries, id, pack_delivery(delivery))
  redis.call('ZADD', inbox, delivery[ORDER], id)
  redis.call('ZADD', expiring, item[EXPIRES], id)
  arm(item[EXPIRES])
  note('delivery.queued', id)
end

for index = 3, #ARGV do
  local first = 9 + (index - 3) * 9
  agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, arrived =
    unpack(KEYS, first, first + 8)
  local packed = cmsgpack.unpack(ARGV[index])
  agent_id = packed[1]
  local limits = redis.call('HMGET', agent, 'epoch', 'max_depth', 'on_full')
  local max_depth = tonumber(limits[2] or '') or packed[2]
  for position = 3, #packed do
    local id = packed[position][ID]
    if redis.call('HEXISTS', deliveries, id) == 0 and redis.call('HEXISTS', receipts, id) == 0 then
      place(packed[position], max_depth, limits[3], limits[1])
    end
  end
end
publish_events()
return { 'committed' }
