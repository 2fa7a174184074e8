-- Count the deliveries of inboxes by state, with the moment since which the oldest is queued.
-- outcomes: counted
-- The keys come five an inbox: agent, inbox, leased, waiting, deliveries. Nothing is changed.
-- include: delivery
-- include: bands

local function oldest_of(inbox, deliveries)
  local oldest = 0
  for _, id in ipairs(first_of_each_priority(inbox)) do
    local packed = redis.call('HGET', deliveries, id)
    local accepted_at = packed and unpack_delivery(packed)[ACCEPTED_AT]
    if accepted_at and (oldest == 0 or accepted_at < oldest) then oldest = accepted_at end
  end
  return oldest
end

local counts = {}
for index = 1, #KEYS, 5 do
  local agent, inbox, leased, waiting, deliveries = unpack(KEYS, index, index + 4)
  if redis.call('HLEN', deliveries) == 0 then
    -- As it mostly is: only receipts are left that wait to leave.
    counts[#counts + 1] = false
  else
    counts[#counts + 1] = {
      redis.call('ZCARD', inbox),
      redis.call('ZCARD', leased),
      redis.call('ZCARD', waiting),
      tonumber(redis.call('HGET', agent, 'max_depth') or 0),
      oldest_of(inbox, deliveries),
    }
  end
end
return { 'counted', cmsgpack.pack(counts) }
