-- Remember whom a message to several goes to, before it reaches the first of them.
-- outcomes: addressed, known
-- Behind the named argument come the recipients. Where a router that died has done so already, its
-- answer stands: some of them may hold the message, and the receipts count on the others.
local audience, outstanding = unpack(KEYS)
local record_ms = unpack(ARGV)

if redis.call('EXISTS', audience) == 1 then
  return { 'known', cmsgpack.pack(redis.call('SMEMBERS', audience)) }
end
-- Routing must go on when Redis is out of memory, and it does in a script that removed first.
redis.call('DEL', outstanding)
for index = 2, #ARGV do
  redis.call('SADD', audience, ARGV[index])
  redis.call('SADD', outstanding, ARGV[index])
end
redis.call('PEXPIRE', audience, record_ms)
redis.call('PEXPIRE', outstanding, record_ms)
return { 'addressed' }
