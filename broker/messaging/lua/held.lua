-- List the leases that a holder still has, in the order of the inbox.
-- outcomes: held, unknown_agent, stale_epoch
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, holder, epoch, limit = unpack(ARGV)
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local found = {}
local running = redis.call('ZRANGEBYSCORE', leased, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
for index = 1, #running, 2 do
  local id, until_ms = running[index], tonumber(running[index + 1])
  local delivery = delivery_of(id)
  if delivery and delivery[HOLDER] == holder then
    found[#found + 1] = { delivery[ORDER], id, delivery[TOKEN], delivery[ATTEMPT], until_ms }
  end
end
table.sort(found, function(one, other) return one[1] < other[1] end)

local leases = {}
for index, entry in ipairs(found) do leases[index] = { unpack(entry, 2) } end
if holder ~= PUSHER then touch_session() end
return { 'held', cmsgpack.pack(leases) }
