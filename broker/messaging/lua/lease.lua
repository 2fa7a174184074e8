-- Lease the first messages of an inbox, or those of them that are named.
-- outcomes: leased, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, limit, below, lease_ms, seed, epoch, holder = unpack(ARGV)
-- include: inbox
-- include: session
-- include: latency

local refused = refuse_session(epoch)
if refused then return refused end

settle(100)

local ids = {}
if #ARGV > 8 then
  for index = 9, #ARGV do
    if redis.call('ZSCORE', inbox, ARGV[index]) then ids[#ids + 1] = ARGV[index] end
  end
else
  ids = redis.call('ZRANGEBYSCORE', inbox, '-inf', '(' .. below, 'LIMIT', 0, limit)
end

local leases = {}
if #ids > 0 then
  local packed = redis.call('HMGET', deliveries, unpack(ids))
  local until_ms = now + tonumber(lease_ms)
  local ready, until_pairs, saved = {}, {}, {}
  for index, id in ipairs(ids) do
    local delivery = unpack_delivery(packed[index])
    if delivery[EXPIRES_AT] <= now then
      finish(id, delivery, 'expired')
    else
      ready[#ready + 1] = { id, delivery }
    end
  end
  if #ready > 0 then
    local taken = {}
    for index, entry in ipairs(ready) do taken[index] = entry[1] end
    redis.call('ZREM', inbox, unpack(taken))
    local token = redis.call('INCRBY', sequence, #ready) - #ready
    for index, entry in ipairs(ready) do
      local id, delivery = entry[1], entry[2]
      if delivery[DELIVERED_AT] == 0 then
        delivery[DELIVERED_AT] = now
        observe_latency(now - delivery[ACCEPTED_AT])
      end
      delivery[STATE] = 'leased'
      -- An offer is only shown: the attempt begins when it is claimed.
      if not delivery[OFFER] then delivery[ATTEMPT] = delivery[ATTEMPT] + 1 end
      delivery[TOKEN] = string.format('%d-%s', token + index, seed)
      delivery[HOLDER] = holder
      until_pairs[#until_pairs + 1] = until_ms
      until_pairs[#until_pairs + 1] = id
      saved[#saved + 1] = id
      saved[#saved + 1] = pack_delivery(delivery)
      leases[index] = { id, delivery[TOKEN], delivery[ATTEMPT], until_ms }
      note('delivery.leased', id)
    end
    redis.call('ZADD', leased, unpack(until_pairs))
    redis.call('HSET', deliveries, unpack(saved))
    arm(until_ms)
  end
end
publish_events()
publish_latency(counters)
if holder ~= PUSHER then touch_session() end
return { 'leased', cmsgpack.pack(leases) }
