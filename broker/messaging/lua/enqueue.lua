-- Store new messages durably and line each up for routing, or for its delivery time.
-- outcomes: stored
-- Behind the named keys come four an item: record, idempotency, sender's agent, and the verdict of
-- the message that it supersedes (where it has no such key: the record again); behind the named
-- arguments its packed description and its record each. An item becomes: accepted, repeated <id>, conflict <id>,
-- stale_epoch <current> or full <recipient>.
local ingress, delayed, sequence, history, sent, bell, drainer, counters, activity = unpack(KEYS)
local bell_ms, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity
-- include: unrouted

local ID, ORDER_BASE, DUE_AT, RECORD_MS, FINGERPRINT, FINGERPRINT_MS, EPOCH, ACCEPTED_AT,
  RECIPIENTS, SUPERSEDED = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

local now = server_ms()
local verdicts, accepted = {}, {}
for index = 3, #ARGV, 2 do
  local item, contents = cmsgpack.unpack(ARGV[index]), ARGV[index + 1]
  local first = 10 + (index - 3) * 2
  local record, idempotency, agent, superseded_verdict =
    KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[first + 3]
  local verdict

  if redis.call('EXISTS', record) == 1 then
    -- The same call again, after its answer was lost.
    verdict = { 'accepted', item[ID] }
  end
  if not verdict and item[FINGERPRINT] ~= '' then
    local first_use = redis.call('GET', idempotency)
    if first_use then
      local id, fingerprint = first_use:match('^(%S+) (%S+)$')
      verdict = { fingerprint == item[FINGERPRINT] and 'repeated' or 'conflict', id }
    end
  end
  if not verdict and item[EPOCH] > 0 then
    local current = tonumber(redis.call('HGET', agent, 'epoch') or 0)
    if item[EPOCH] < current then verdict = { 'stale_epoch', current } end
  end
  if not verdict then
    for _, recipient in ipairs(item[RECIPIENTS]) do
      local id, depth, arrived, max_depth = unpack(recipient)
      if max_depth > 0 then
        local on_the_way = tonumber(redis.call('HGET', sent, id) or 0) - arrived
        if depth + math.max(0, on_the_way) >= max_depth then verdict = { 'full', id } end
      end
    end
  end

  if not verdict then
    redis.call('SET', record, contents, 'PX', item[RECORD_MS])
    if item[FINGERPRINT] ~= '' then
      redis.call('SET', idempotency, item[ID] .. ' ' .. item[FINGERPRINT], 'PX', item[FINGERPRINT_MS])
    end
    if item[SUPERSEDED] then
      -- Routed already, or just being routed: then the routing of this message withdraws it.
      withdraw_unrouted(item[SUPERSEDED], superseded_verdict, 'superseded', now)
    end
    if item[DUE_AT] > 0 then
      redis.call('ZADD', delayed, item[DUE_AT], delayed_member(item[ORDER_BASE], item[ID]))
    else
      redis.call('ZADD', ingress, item[ORDER_BASE] + redis.call('INCR', sequence), item[ID])
    end
    redis.call('ZADD', history, item[ACCEPTED_AT], item[ID])
    for _, recipient in ipairs(item[RECIPIENTS]) do
      redis.call('HINCRBY', sent, recipient[1], 1)
    end
    accepted[#accepted + 1] = item[ID]
    verdict = { 'accepted', item[ID] }
  end
  verdicts[#verdicts + 1] = verdict
end
record_event(activity, counters, activity_cap, 'message.accepted', accepted)

local ring = 0
if #accepted > 0 and redis.call('EXISTS', drainer) == 0
  and redis.call('SET', bell, '1', 'NX', 'PX', bell_ms) then
  ring = 1
end
return { 'stored', ring, cmsgpack.pack(verdicts) }
