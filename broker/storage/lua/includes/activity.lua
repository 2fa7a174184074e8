-- One event of the activity stream for all deliveries that made the same move, and its counter.
local function record_event(activity, counters, cap, event, ids)
  if #ids == 0 then return end
  redis.call('XADD', activity, 'MAXLEN', '~', cap, '*', 'event', event, 'ids', table.concat(ids, ' '))
  redis.call('HINCRBY', counters, event, #ids)
end
