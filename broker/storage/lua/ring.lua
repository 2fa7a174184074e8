-- Ask for partitions to be drained; whether a routing job must be sent for it.
-- outcomes: rung
-- The arguments behind the named one are partition numbers.
local ringing, routing_job = unpack(KEYS)
local job_ms = unpack(ARGV)

redis.call('SADD', ringing, unpack(ARGV, 2))
return { 'rung', redis.call('SET', routing_job, '1', 'NX', 'PX', job_ms) and 1 or 0 }
