-- Put a dead letter back into its inbox, with all its attempts before it.
-- outcomes: retried, absent, closed, unknown_agent
local agent, inbox, leased, waiting, expiring, deliveries, receipts, leaving, alarms, concluded, dead_letters, dead_index, dead_due, sequence, counters, activity, heartbeats = unpack(KEYS)
local agent_id, policy_packed, letter_id = unpack(ARGV)
-- include: inbox

local packed = redis.call('HGET', dead_letters, letter_id)
if not packed then return { 'absent' } end
local letter = cmsgpack.unpack(packed)
if letter[LETTER_STATUS] ~= 'open' then return { 'closed', letter[LETTER_STATUS] } end

if redis.call('EXISTS', agent) == 0 then return { 'unknown_agent' } end

local id, delivery = letter[LETTER_MESSAGE], letter[LETTER_DELIVERY]
redis.call('ZREM', dead_due, letter_id)
redis.call('ZREM', leaving, id)
redis.call('HDEL', receipts, id)
letter[LETTER_STATUS] = 'retried'
letter[LETTER_CLOSED_AT] = now
letter[LETTER_NEXT_RETRY_AT] = 0
redis.call('HSET', dead_letters, letter_id, cmsgpack.pack(letter))

-- It lost its place in the queue: it lines up behind what has come since.
delivery[STATE] = 'queued'
delivery[ORDER] = delivery[ORDER] - delivery[ORDER] % 2 ^ 48 + redis.call('INCR', sequence)
delivery[ATTEMPT] = 0
delivery[TOKEN] = ''
delivery[FINISHED_AT] = 0
delivery[EXPIRES_AT] = math.max(delivery[EXPIRES_AT], now + delivery[LIFETIME])
save(id, delivery)
redis.call('ZADD', inbox, delivery[ORDER], id)
redis.call('ZADD', expiring, delivery[EXPIRES_AT], id)
arm(delivery[EXPIRES_AT])
note('delivery.queued', id)
note('dead_letter.retried', letter_id)
publish_events()
return { 'retried', id, delivery[EXPIRES_AT] }
