-- Strike verdicts off the outbox, once the sender's side knows them, and set when receipts leave.
-- outcomes: forgotten
-- Behind the named keys comes `leaving` an agent; behind the arguments `<entry> <ms until it leaves>`.
-- A receipt outlives its message's record: who routes a message late finds one or the other.
local alarms, concluded = unpack(KEYS)
-- include: clock

local now = server_ms()
for index = 1, #ARGV do
  local entry, id, agent_id, leaves_in = ARGV[index]:match('^(%S+ (%S+) (%S+)) (%d+)$')
  if redis.call('ZREM', concluded, entry) == 1 then
    redis.call('ZADD', KEYS[index + 2], now + leaves_in, id)
    redis.call('ZADD', alarms, 'LT', now + leaves_in, agent_id)
  end
end
return { 'forgotten', #ARGV }
