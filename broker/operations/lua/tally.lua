-- Read how much of everything one partition holds; nothing is changed.
-- outcomes: tallied
-- Behind the named arguments come agents that are not counted, because they always exist.
local ingress, delayed, alarms, dead_letters, counters, agents, heartbeats, unseen = unpack(KEYS)
local stale_after_ms, offline_after_ms = unpack(ARGV)
-- include: clock
-- include: bands

local now = server_ms()
local stale_at, offline_at = now - stale_after_ms, now - offline_after_ms

-- Who was found on disk and never came is no agent that is missing.
local registered = redis.call('ZCARD', agents) - redis.call('SCARD', unseen)
local online = redis.call('ZCOUNT', heartbeats, stale_at, '+inf')
local present = redis.call('ZCOUNT', heartbeats, offline_at, '+inf')
for index = 3, #ARGV do
  if redis.call('ZSCORE', agents, ARGV[index]) then registered = registered - 1 end
  local seen = tonumber(redis.call('ZSCORE', heartbeats, ARGV[index]) or '-1')
  if seen >= stale_at then online = online - 1 end
  if seen >= offline_at then present = present - 1 end
end

return { 'tallied', cmsgpack.pack({
  now = now,
  accepted = redis.call('ZCARD', ingress),
  delayed = redis.call('ZCARD', delayed),
  dead_letters = redis.call('HLEN', dead_letters),
  registered = registered,
  online = online,
  present = present,
  -- Every inbox with something in it has an alarm for the end of that message's life.
  inboxes = redis.call('ZRANGE', alarms, 0, -1),
  first_accepted = first_of_each_priority(ingress),
  counters = redis.call('HGETALL', counters),
}) }
