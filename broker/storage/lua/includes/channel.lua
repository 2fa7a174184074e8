-- Moves of one channel. Expects channel, members, counters, activity; channel_id, activity_cap.
-- include: clock
-- include: activity

local function note(event, agent_id)
  local id = agent_id and channel_id .. ':' .. agent_id or channel_id
  record_event(activity, counters, activity_cap, event, { id })
end

-- Whether an agent is a member; `since` is when it registered, in ms: one that was deleted is none, and
-- nor is another that later took its id.
local function is_member(agent_id, since)
  return tonumber(redis.call('ZSCORE', members, agent_id) or -1) == tonumber(since)
end

local function change_membership()
  redis.call('HINCRBY', channel, 'version', 1)
end
