-- The acceptance of new messages. Expects ingress, delayed, sequence, history, sent, bell, drainer,
-- taken, counters, activity; bell_ms, activity_cap, packed_items.
-- include: clock
-- include: activity
-- include: unrouted
local ID, ORDER_BASE, DUE_AT, RECORD_MS, FINGERPRINT, FINGERPRINT_MS, EPOCH, ACCEPTED_AT,
  RECIPIENTS, SUPERSEDED, MORE_KEYS = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

-- Stores the items whose records are the keys from `first_record` on and whose contents are the
-- arguments from `first_contents` on. Gives the script's answer, and whether it stored any.
local function accept_all(first_record, first_contents)
  local now = server_ms()
  local items = cmsgpack.unpack(packed_items)

  -- The same call again, after its answer was lost: seldom, and seen for all items at once.
  local is_repetition = redis.call('EXISTS', unpack(KEYS, first_record, first_record + #items - 1)) > 0

  local already_sent, newly_sent = {}, {}

  local function sent_to(recipient)
    already_sent[recipient] = already_sent[recipient] or tonumber(redis.call('HGET', sent, recipient) or 0)
    return already_sent[recipient] + (newly_sent[recipient] or 0)
  end

  local function write_sent()
    for recipient, count in pairs(newly_sent) do redis.call('HINCRBY', sent, recipient, count) end
    already_sent, newly_sent = {}, {}
  end

  -- What keeps an item from being stored; nil if nothing does.
  local function refusal(item, record, idempotency, agent)
    if is_repetition and redis.call('EXISTS', record) == 1 then return { 'accepted', item[ID] } end
    if item[FINGERPRINT] ~= '' then
      local first_use = redis.call('GET', idempotency)
      if first_use then
        local id, fingerprint = first_use:match('^(%S+) (%S+)$')
        return { fingerprint == item[FINGERPRINT] and 'repeated' or 'conflict', id }
      end
    end
    if item[EPOCH] > 0 then
      local current = tonumber(redis.call('HGET', agent, 'epoch') or 0)
      if item[EPOCH] < current then return { 'stale_epoch', current } end
    end
    for _, recipient in ipairs(item[RECIPIENTS]) do
      local id, depth, arrived, max_depth = unpack(recipient)
      if max_depth > 0 and depth + math.max(0, sent_to(id) - arrived) >= max_depth then
        return { 'full', id }
      end
    end
  end

  local verdicts, accepted, by_acceptance, lined_up, lined_up_base = {}, {}, {}, {}, {}
  local withdrawn, not_before = {}, {}
  for index, item in ipairs(items) do
    local record, contents = KEYS[first_record + index - 1], ARGV[first_contents + index - 1]
    local idempotency, agent, superseded_verdict
    if item[MORE_KEYS] > 0 then
      local first = first_record + #items + (item[MORE_KEYS] - 1) * 3
      idempotency, agent, superseded_verdict = unpack(KEYS, first, first + 2)
    end
    local refused = refusal(item, record, idempotency, agent)
    if not refused then
      redis.call('SET', record, contents, 'PX', item[RECORD_MS])
      if item[FINGERPRINT] ~= '' then
        redis.call('SET', idempotency, item[ID] .. ' ' .. item[FINGERPRINT], 'PX', item[FINGERPRINT_MS])
      end
      if item[SUPERSEDED] then
        write_sent()
        -- Routed already, or just being routed: then the routing of this message withdraws it, and must
        -- not come first.
        local outcome, order = withdraw_unrouted(item[SUPERSEDED], superseded_verdict, 'superseded', now)
        if outcome == 'withdrawn' then withdrawn[#withdrawn + 1] = item[SUPERSEDED][1] end
        not_before[item[ID]] = order
      end
      if item[DUE_AT] > 0 then
        redis.call('ZADD', delayed, item[DUE_AT], delayed_member(item[ORDER_BASE], item[ID]))
      else
        lined_up[#lined_up + 1], lined_up_base[#lined_up_base + 1] = item[ID], item[ORDER_BASE]
      end
      for _, recipient in ipairs(item[RECIPIENTS]) do
        newly_sent[recipient[1]] = (newly_sent[recipient[1]] or 0) + 1
      end
      by_acceptance[2 * #accepted + 1], by_acceptance[2 * #accepted + 2] = item[ACCEPTED_AT], item[ID]
      accepted[#accepted + 1] = item[ID]
    end
    verdicts[index] = refused or { 'accepted', item[ID] }
  end

  if #accepted > 0 then
    redis.call('ZADD', history, unpack(by_acceptance))
    write_sent()
  end
  if #lined_up > 0 then
    local order = redis.call('INCRBY', sequence, #lined_up) - #lined_up
    local in_order = {}
    for index, id in ipairs(lined_up) do
      local place = lined_up_base[index] + order + index
      if not_before[id] then place = math.max(place, not_before[id] + 0.5) end
      in_order[2 * index - 1], in_order[2 * index] = place, id
    end
    redis.call('ZADD', ingress, unpack(in_order))
  end
  record_event(activity, counters, activity_cap, 'message.accepted', accepted)
  record_event(activity, counters, activity_cap, 'message.superseded', withdrawn)

  local ring = 0
  if #accepted > 0 and redis.call('EXISTS', drainer) == 0
    and redis.call('SET', bell, '1', 'NX', 'PX', bell_ms) then
    ring = 1
  end
  return { 'stored', ring, cmsgpack.pack(verdicts) }, #accepted > 0
end
