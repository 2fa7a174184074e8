-- Put offers aside until the end of the claim that another recipient has on them.
-- outcomes: put_aside
-- The list is four an offer: its id, the lease token by which it was shown (empty: whichever), the number
-- and the end of the claim. Answers for each whether it was put aside: not if that claim is over.
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed = unpack(ARGV)
-- include: inbox

local answers = {}
for index = 3, #ARGV, 4 do
  local id, token, number, until_ms = unpack(ARGV, index, index + 3)
  local delivery = delivery_of(id)
  local aside = delivery and delivery[OFFER] == OFFERED and delivery[STATE] ~= 'waiting'
    and (token == '' or delivery[TOKEN] == token)
    and delivery[OVER] < tonumber(number) and tonumber(until_ms) > now
  if aside then
    wait_until(id, delivery, until_ms)
    delivery[OFFER] = ASIDE
    save(id, delivery)
  end
  answers[#answers + 1] = aside and 1 or 0
end
publish_events()
return { 'put_aside', unpack(answers) }
