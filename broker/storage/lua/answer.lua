-- Take over the partitions that ring.
-- outcomes: answered, left
-- Who asks to stay is told of later rings by asking again, so for `stay_ms` they send no new job. Who
-- does not stay has left only if nothing rings; then the next ring sends a job.
local ringing, doorbell_job = unpack(KEYS)
local token, stay_ms = unpack(ARGV)

local partitions = redis.call('SMEMBERS', ringing)
if #partitions > 0 then redis.call('DEL', ringing) end
if #partitions == 0 and tonumber(stay_ms) == 0 then
  -- Another drainer may have answered since; then it is the one who listens.
  if redis.call('GET', doorbell_job) == token then redis.call('DEL', doorbell_job) end
  return { 'left' }
end
if tonumber(stay_ms) > 0 then redis.call('SET', doorbell_job, token, 'PX', stay_ms) end
return { 'answered', unpack(partitions) }
