-- Spend of an allowance that refills evenly.
-- outcomes: granted, refused
-- Its state is the moment at which it is full again, as in the generic cell rate algorithm; what costs
-- more than is left is owed, and paid off first.
-- `amount` may be spent at once, and as much again in each `period_ms`. It is granted where `needed`
-- is left.
local allowance = unpack(KEYS)
local amount, period_ms, cost, needed = unpack(ARGV)

local MOST_OWED = 1000

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local each = period_ms * 1000 / amount

local full_at = math.max(now, tonumber(redis.call('GET', allowance) or 0))
-- Only a clock that was set back makes it owe more.
full_at = math.min(full_at, now + (amount + MOST_OWED) * each)
local left = amount - (full_at - now) / each

local function balance()
  local wait = math.max(0, (1 - left) * each)
  return math.max(0, math.floor(left)), math.ceil((full_at - now) / 1000), math.ceil(wait / 1000)
end

if left < tonumber(needed) then return { 'refused', balance() } end

if tonumber(cost) > 0 then
  full_at = full_at + cost * each
  left = left - cost
  redis.call('SET', allowance, string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
end
return { 'granted', balance() }
