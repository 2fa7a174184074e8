-- Remember whom a message to several goes to, before it reaches the first of them.
-- outcomes: addressed
-- Behind the named argument come the recipients. Safe to repeat: who has finished meanwhile is not
-- made outstanding again.
local audience, outstanding = unpack(KEYS)
local record_ms = unpack(ARGV)

if redis.call('EXISTS', audience) == 0 then
  for index = 2, #ARGV do
    redis.call('SADD', audience, ARGV[index])
    redis.call('SADD', outstanding, ARGV[index])
  end
  redis.call('PEXPIRE', audience, record_ms)
  redis.call('PEXPIRE', outstanding, record_ms)
end
return { 'addressed' }
