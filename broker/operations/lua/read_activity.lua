-- Read the next events of one partition's activity stream; nothing is changed.
-- outcomes: read
-- `first` is the id that reading begins at.
local activity = unpack(KEYS)
local first, limit = unpack(ARGV)
-- include: clock

-- Whether the stream has ever lost an entry to its cap.
local function was_trimmed()
  local facts, info = {}, redis.call('XINFO', 'STREAM', activity)
  for index = 1, #info, 2 do facts[info[index]] = info[index + 1] end
  return facts['entries-added'] > facts['length']
end

local entries = redis.call('XRANGE', activity, first, '+', 'COUNT', limit)
-- What the stream now begins with may have had a predecessor that was to be read as well.
local lost = false
if #entries > 0 then
  local oldest = redis.call('XRANGE', activity, '-', '+', 'COUNT', 1)[1][1]
  lost = entries[1][1] == oldest and was_trimmed()
end

return { 'read', cmsgpack.pack({ now = server_ms(), entries = entries, lost = lost }) }
