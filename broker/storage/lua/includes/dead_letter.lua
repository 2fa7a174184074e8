-- Dead letters. Expects dead_letters, dead_index, dead_due, sequence, agent_id, and what
-- inbox.lua gives (now, policy).
-- include: ulid

local LETTER_MESSAGE, LETTER_AGENT, LETTER_REASON, LETTER_ERROR, LETTER_FAILED_AT, LETTER_STATUS,
  LETTER_RETRIES, LETTER_NEXT_RETRY_AT, LETTER_DELIVERY, LETTER_RESOLUTION, LETTER_CLOSED_AT =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

local function bury_letter(id, delivery, reason, last_error, retryable)
  local letter = new_ulid('dlq_', now, sequence, policy.partition)
  local deaths = delivery[DEATHS]
  local next_retry_at = 0
  if retryable and deaths <= policy.dead_letter_max_retries then
    next_retry_at = now + policy.dead_letter_retry_ms * 2 ^ (deaths - 1)
    redis.call('ZADD', dead_due, next_retry_at, letter)
  end
  redis.call('HSET', dead_letters, letter, cmsgpack.pack({
    id, agent_id, reason, last_error, now, 'open', deaths - 1, next_retry_at, delivery, '', 0,
  }))
  redis.call('ZADD', dead_index, now, letter)
end
