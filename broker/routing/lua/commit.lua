-- Put routed messages into the inboxes of one partition.
-- outcomes: committed, late
-- Gives whether some came to an agent with a webhook.
-- Behind the named keys come ten an agent (see below), behind the named arguments one packed list
-- an agent: its id, its default depth, then its messages. Safe to repeat: what stands in an inbox, or
-- has finished there, is passed over.
local alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity = unpack(KEYS)
local policy_packed, valid_until = unpack(ARGV)
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, arrived, owed, agent_id
-- include: inbox

local ID, ORDER_BASE, EXPIRES, ATTEMPTS, DELAY, LIFE, ACCEPTED, SOURCE, PROMISED, HELD, SUPERSEDES, TIMEOUT, CLAIMABLE =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13

-- A drainer that was stopped for too long may find that another has taken over and that its messages
-- came and went meanwhile.
if now > tonumber(valid_until) then return { 'late' } end

-- A move within Redis needs hardly any room, and makes some when it is consumed: a removal first
-- lets the script pass when Redis is out of memory.
redis.call('ZREM', alarms, '')

-- What was placed in the current inbox but is not yet written, and how deep it makes the inbox.
local placed, in_order, in_expiry, earliest, depth
-- The tickets among it, and until when the last of them is awaited.
local asked, awaited_until

local function begin_inbox()
  placed, in_order, in_expiry, earliest = {}, {}, {}, nil
  asked, awaited_until = {}, 0
  depth = redis.call('HLEN', deliveries)
end

local function write_inbox()
  write_finished()
  if #placed > 0 then
    redis.call('HSET', deliveries, unpack(placed))
    redis.call('ZADD', inbox, unpack(in_order))
    redis.call('ZADD', expiring, unpack(in_expiry))
    arm(earliest)
  end
  if #asked > 0 then
    redis.call('ZREMRANGEBYSCORE', owed, '-inf', now)
    redis.call('ZADD', owed, unpack(asked))
    redis.call('PEXPIREAT', owed, awaited_until, 'NX')
    redis.call('PEXPIREAT', owed, awaited_until, 'GT')
  end
  begin_inbox()
end

local function supersede(id)
  write_inbox()
  local delivery = delivery_of(id)
  if delivery and not is_held(id, delivery) then
    finish(id, delivery, 'superseded')
    write_inbox()
  end
end

-- The first come of the lowest priority gives way.
local function drop_oldest()
  write_inbox()
  local last = redis.call('ZRANGE', inbox, -1, -1, 'WITHSCORES')
  if not last[2] then return end
  local lowest = tonumber(last[2]) - tonumber(last[2]) % 2 ^ 48
  local oldest = redis.call('ZRANGEBYSCORE', inbox, lowest, '+inf', 'LIMIT', 0, 1)[1]
  finish(oldest, delivery_of(oldest), 'dropped')
  write_inbox()
end

local function place(item, order, max_depth, on_full, registered)
  local id, expires_at = item[ID], item[EXPIRES]
  local delivery = {
    'accepted', order, 0, '', item[ATTEMPTS], expires_at, now, 0, 0, 0, item[DELAY], item[LIFE], '', {},
    0, item[ACCEPTED],
  }
  if item[CLAIMABLE] == 1 then
    delivery[OFFER], delivery[OVER] = OFFERED, 0
  end
  if item[TIMEOUT] > 0 then
    delivery[OFFER], delivery[OVER] = delivery[OFFER] or false, 0
    delivery[TIMEOUT_AT] = item[TIMEOUT]
  end
  if item[SUPERSEDES] ~= '' then supersede(item[SUPERSEDES]) end
  if expires_at <= now then return finish(id, delivery, 'expired') end
  if not registered and item[HELD] == 0 then
    return bury(id, delivery, 'unknown_agent', 'the recipient is no longer registered', false)
  end
  if depth >= max_depth then
    if on_full == 'drop_newest' then return finish(id, delivery, 'dropped') end
    if on_full == 'drop_oldest' then
      drop_oldest()
    elseif item[PROMISED] == 0 then
      return bury(id, delivery, 'inbox_full', 'the inbox was at its limit', true)
    end
  end
  delivery[STATE] = 'queued'
  local slot = #placed
  placed[slot + 1], placed[slot + 2] = id, pack_delivery(delivery)
  in_order[slot + 1], in_order[slot + 2] = order, id
  in_expiry[slot + 1], in_expiry[slot + 2] = expires_at, id
  earliest = math.min(earliest or expires_at, expires_at)
  if item[TIMEOUT] > now then
    asked[#asked + 1], asked[#asked + 2] = item[TIMEOUT], id
    awaited_until = math.max(awaited_until, item[TIMEOUT])
  end
  depth = depth + 1
  note('delivery.queued', id)
end

-- Those messages of an agent that neither stand in its inbox nor have finished there.
local function new_to_inbox(packed)
  local ids = {}
  for position = 3, #packed do ids[position - 2] = packed[position][ID] end
  local standing = redis.call('HMGET', deliveries, unpack(ids))
  local gone = redis.call('HMGET', receipts, unpack(ids))
  local new = {}
  for index in ipairs(ids) do
    if not standing[index] and not gone[index] then new[#new + 1] = packed[index + 2] end
  end
  return new
end

local function count_arrivals(items)
  local counts = {}
  for _, item in ipairs(items) do
    if item[SOURCE] then counts[item[SOURCE]] = (counts[item[SOURCE]] or 0) + 1 end
  end
  for source, count in pairs(counts) do redis.call('HINCRBY', arrived, source, count) end
end

local to_push = 0
for index = 3, #ARGV do
  local first = 9 + (index - 3) * 10
  agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, arrived, owed =
    unpack(KEYS, first, first + 9)
  local packed = cmsgpack.unpack(ARGV[index])
  agent_id = packed[1]
  local new = new_to_inbox(packed)
  if #new > 0 then
    local limits = redis.call('HMGET', agent, 'epoch', 'max_depth', 'on_full', 'webhook')
    local max_depth = tonumber(limits[2] or '') or packed[2]
    local order = redis.call('INCRBY', sequence, #new) - #new
    begin_inbox()
    for place_in_line, item in ipairs(new) do
      place(item, item[ORDER_BASE] + order + place_in_line, max_depth, limits[3], limits[1])
    end
    write_inbox()
    count_arrivals(new)
    if limits[4] == 'on' then to_push = 1 end
  end
end
publish_events()
return { 'committed', to_push }
