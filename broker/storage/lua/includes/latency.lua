-- Histogram of the time from acceptance to first delivery, in ms; buckets are not cumulative.
local LATENCY_BUCKETS = { 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 60000 }
local observed, observed_sum = {}, 0

local function observe_latency(ms)
  local bucket = 'inf'
  for _, limit in ipairs(LATENCY_BUCKETS) do
    if ms <= limit then
      bucket = limit
      break
    end
  end
  observed[bucket] = (observed[bucket] or 0) + 1
  observed_sum = observed_sum + math.max(0, ms)
end

local function publish_latency(counters)
  for bucket, count in pairs(observed) do
    redis.call('HINCRBY', counters, 'latency_ms_le_' .. bucket, count)
  end
  if next(observed) then redis.call('HINCRBY', counters, 'latency_ms_sum', observed_sum) end
end
