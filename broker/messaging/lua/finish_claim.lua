-- Who claimed a message has finished it: nobody can claim it any more.
-- outcomes: finished
-- The note stays for longer than the record by `keep_ms`: as long as a dead letter may bring back the
-- offer of another. Safe to repeat.
local record, claim = unpack(KEYS)
local agent_id, token, keep_ms = unpack(ARGV)

redis.call('DEL', claim)
redis.call('HSET', claim, 'agent_id', agent_id, 'token', token, 'until', 0, 'done', 1)
redis.call('PEXPIRE', claim, math.max(0, redis.call('PTTL', record)) + keep_ms)
return { 'finished' }
