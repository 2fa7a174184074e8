-- Close the case of a dead letter without delivering it; the sender's receipt says so.
-- outcomes: resolved, absent, closed
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, letter_id, resolution = unpack(ARGV)
-- include: inbox

local packed = redis.call('HGET', dead_letters, letter_id)
if not packed then return { 'absent' } end
local letter = cmsgpack.unpack(packed)
if letter[LETTER_STATUS] ~= 'open' then return { 'closed', letter[LETTER_STATUS] } end

redis.call('ZREM', dead_due, letter_id)
letter[LETTER_STATUS] = 'resolved'
letter[LETTER_RESOLUTION] = resolution
letter[LETTER_NEXT_RETRY_AT] = 0
letter[LETTER_CLOSED_AT] = now
redis.call('HSET', dead_letters, letter_id, cmsgpack.pack(letter))

local id = letter[LETTER_MESSAGE]
local receipt = redis.call('HGET', receipts, id)
if receipt then
  local delivery = unpack_delivery(receipt)
  delivery[STATE] = 'resolved'
  redis.call('HSET', receipts, id, pack_delivery(delivery))
end
note('dead_letter.resolved', letter_id)
publish_events()
return { 'resolved', now }
