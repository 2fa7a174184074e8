-- Ask for partitions to be drained; whether a job must be sent for it.
-- outcomes: rung
-- The arguments behind the named ones are partition numbers. A drainer that hands its work on gives its
-- token: from then on nobody counts on it.
local ringing, doorbell_job = unpack(KEYS)
local token, job_ms = unpack(ARGV)

if redis.call('GET', doorbell_job) == token then redis.call('DEL', doorbell_job) end
redis.call('SADD', ringing, unpack(ARGV, 3))
return { 'rung', redis.call('SET', doorbell_job, 'sent', 'NX', 'PX', job_ms) and 1 or 0 }
