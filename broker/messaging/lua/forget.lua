-- Strike verdicts off the outbox, once the sender's side knows them, and set when receipts leave.
-- outcomes: forgotten
-- Behind the named keys comes `leaving` an agent; behind the arguments `<entry> <ms until it leaves>`.
-- A receipt outlives its message's record: who routes a message late finds one or the other, and who
-- asks for a receipt of a stored message finds it.
local alarms, concluded = unpack(KEYS)
-- include: clock

local now = server_ms()
local entries, ids, agents, leaves_at = {}, {}, {}, {}
for index, argument in ipairs(ARGV) do
  local leaves_in
  entries[index], ids[index], agents[index], leaves_in = argument:match('^(%S+ (%S+) (%S+)) (%d+)$')
  leaves_at[index] = now + leaves_in
end
if #entries == 0 then return { 'forgotten', 0 } end

local struck, pairs_of, first_of = {}, {}, {}
for index, listed in ipairs(redis.call('ZMSCORE', concluded, unpack(entries))) do
  if listed then
    local leaving, agent_id, at = KEYS[index + 2], agents[index], leaves_at[index]
    local leave = pairs_of[leaving] or {}
    leave[#leave + 1] = at
    leave[#leave + 1] = ids[index]
    pairs_of[leaving] = leave
    first_of[agent_id] = math.min(first_of[agent_id] or at, at)
    struck[#struck + 1] = entries[index]
  end
end
if #struck > 0 then
  redis.call('ZREM', concluded, unpack(struck))
  for leaving, leave in pairs(pairs_of) do redis.call('ZADD', leaving, unpack(leave)) end
  for agent_id, at in pairs(first_of) do redis.call('ZADD', alarms, 'LT', at, agent_id) end
end
return { 'forgotten', #struck }
