-- Events of the activity stream for all deliveries that made the same move, and their counter. The
-- stream is capped by events, so that an event names few: hundreds in each would make it hold
-- gigabytes.
local IDS_AN_EVENT = 25

local function record_event(activity, counters, cap, event, ids)
  if #ids == 0 then return end
  for first = 1, #ids, IDS_AN_EVENT do
    local some = table.concat(ids, ' ', first, math.min(first + IDS_AN_EVENT - 1, #ids))
    redis.call('XADD', activity, 'MAXLEN', '~', cap, '*', 'event', event, 'ids', some)
  end
  redis.call('HINCRBY', counters, event, #ids)
end
