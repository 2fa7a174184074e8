-- How deep the inboxes of some agents of a partition are, and for how many ms each has been silent.
-- outcomes: standing
-- Behind the named key come their deliveries, in the order of the arguments, which are their ids. An
-- agent that does not count as present has been silent for -1 ms.
local heartbeats = unpack(KEYS)
-- include: clock

local now = server_ms()
local depths, silences = {}, {}
for index, agent_id in ipairs(ARGV) do
  depths[index] = redis.call('HLEN', KEYS[index + 1])
  local seen = redis.call('ZSCORE', heartbeats, agent_id)
  silences[index] = seen and math.max(0, now - tonumber(seen)) or -1
end
return { 'standing', cmsgpack.pack(depths), cmsgpack.pack(silences) }
