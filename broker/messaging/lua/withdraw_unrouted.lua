-- Take back a message that stands in no inbox yet.
-- outcomes: withdrawn, in_flight, absent
local ingress, delayed, sent, taken, verdict_key, counters, activity = unpack(KEYS)
local packed_message, verdict, activity_cap = unpack(ARGV)
-- include: clock
-- include: activity
-- include: unrouted

local message = cmsgpack.unpack(packed_message)
local outcome = withdraw_unrouted(message, verdict_key, verdict, server_ms())
if outcome == 'withdrawn' then
  record_event(activity, counters, activity_cap, 'message.' .. verdict, { message[1] })
end
return { outcome }
