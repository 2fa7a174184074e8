-- Take the next batch of a partition to route it; nothing leaves ingress here.
-- outcomes: taken, idle, busy
local ingress, delayed, sequence, bell, drainer, taken, sent = unpack(KEYS)
local token, hold_ms, limit = unpack(ARGV)
-- include: clock
-- include: unrouted

local holder = redis.call('GET', drainer)
if holder and holder ~= token then return { 'busy' } end
redis.call('DEL', bell)

local now = server_ms()
for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, limit)) do
  local order_base, id = split_delayed(member)
  redis.call('ZREM', delayed, member)
  redis.call('ZADD', ingress, order_base + redis.call('INCR', sequence), id)
end

local batch = redis.call('ZRANGE', ingress, 0, limit - 1, 'WITHSCORES')
if #batch == 0 then
  redis.call('DEL', drainer, taken)
  return { 'idle' }
end
local ids = {}
for index = 1, #batch, 2 do ids[#ids + 1] = batch[index] end
-- Two clocks and a slow call stand between this deadline and its use in commit.lua; the hold is
-- longer than the time in which a commit is still taken, so that two drainers never overlap.
redis.call('SET', drainer, token, 'PX', hold_ms)
local up_to = redis.call('GET', taken)
if not up_to or tonumber(up_to) < tonumber(batch[#batch]) then redis.call('SET', taken, batch[#batch]) end
return { 'taken', cmsgpack.pack(ids), now + hold_ms * 2 / 3 }
