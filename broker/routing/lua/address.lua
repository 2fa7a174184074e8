-- Remember whom a message goes to that does not say so itself, before it reaches the first of them.
-- outcomes: addressed, known, undeliverable
-- Behind the named arguments come the recipients. Where a router that died has done so already, its
-- answer stands: some of them may hold the message, and the receipts count on the others. Without any
-- recipients this is the message's verdict, and its retention begins.
local audience, outstanding, record, verdict_key, counters, activity = unpack(KEYS)
local id, nobody, record_ms, retention_ms, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity
-- Lua cannot unpack more than 8,000 values.
local FIRST, AT_ONCE = 6, 4000

if redis.call('EXISTS', audience) == 1 then
  return { 'known', cmsgpack.pack(redis.call('SMEMBERS', audience)) }
end
-- Routing must go on when Redis is out of memory, and it does in a script that removed first.
redis.call('DEL', outstanding)
if #ARGV < FIRST then
  redis.call('SADD', audience, nobody)
  redis.call('PEXPIRE', audience, retention_ms)
  redis.call('SET', verdict_key, 'undeliverable ' .. server_ms(), 'PX', retention_ms)
  redis.call('PEXPIRE', record, retention_ms)
  record_event(activity, counters, activity_cap, 'message.undeliverable', { id })
  return { 'undeliverable' }
end
for first = FIRST, #ARGV, AT_ONCE do
  local last = math.min(first + AT_ONCE - 1, #ARGV)
  redis.call('SADD', audience, unpack(ARGV, first, last))
  redis.call('SADD', outstanding, unpack(ARGV, first, last))
end
redis.call('PEXPIRE', audience, record_ms)
redis.call('PEXPIRE', outstanding, record_ms)
return { 'addressed' }
