-- The version of a partition's part of the roll: `<changes>@<ms of the last>`. Expects roll_version.
-- include: clock

-- The count alone would not do: after a failover that lost the last writes it comes to numbers that it
-- had before, and whoever remembers one of them would not look again.
local function change_roll()
  local changes = (redis.call('GET', roll_version) or '0'):match('^%d+')
  redis.call('SET', roll_version, string.format('%d@%d', changes + 1, server_ms()))
end
