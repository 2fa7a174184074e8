-- Take over the partitions that ring; who rings from now on needs a new job.
-- outcomes: answered
local ringing, routing_job = unpack(KEYS)

redis.call('DEL', routing_job)
local partitions = redis.call('SMEMBERS', ringing)
redis.call('DEL', ringing)
return { 'answered', unpack(partitions) }
