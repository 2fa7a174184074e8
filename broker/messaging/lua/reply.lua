-- Store a reply to a ticket and finish the replier's copy of it, in one step.
-- outcomes: stored, stale_lease, not_claimed, unknown_message, unknown_agent, stale_epoch
-- A token must hold the copy, or be the one by whose reply it was finished: then the same call came
-- again, and its idempotency key decides. Without a token the copy is finished wherever it stands; a
-- verdict that it has stays. An offer must be claimed first. Behind the named keys and arguments come
-- the reply's own, as for enqueue.lua; nothing is finished if it is refused or repeated.
local ingress, delayed, sequence, history, sent, bell, drainer, taken, counters, activity, agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, heartbeats, owed = unpack(KEYS)
local bell_ms, activity_cap, packed_items, agent_id, policy_packed, epoch, ticket, token = unpack(ARGV)
-- include: acceptance
-- include: inbox
-- include: session

local refused = refuse_session(epoch)
if refused then return refused end

local delivery = delivery_of(ticket)
local receipt = not delivery and redis.call('HGET', receipts, ticket)
if not delivery and not receipt then return { 'unknown_message' } end
if delivery then
  if token ~= '' and not holds(ticket, delivery, token) then return { 'stale_lease' } end
  if is_offer(delivery) then return { 'not_claimed' } end
else
  local done = unpack_delivery(receipt)
  local is_same = done[STATE] == 'replied' and done[TOKEN] == token
  if token ~= '' and not is_same then return { 'stale_lease' } end
  if is_offer(done) and not DONE_BY[done[STATE]] then return { 'not_claimed' } end
end

local answer, stored = accept_all(26, 9)
if stored then
  redis.call('ZREM', owed, ticket)
  if delivery then
    local is_over = delivery[EXPIRES_AT] <= now and not is_held(ticket, delivery)
    finish(ticket, delivery, is_over and 'expired' or 'replied')
  end
end
publish_events()
touch_session()
return answer
