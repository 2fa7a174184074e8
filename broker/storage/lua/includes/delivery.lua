-- A recipient's copy of a message, packed as an array. The last three fields are there only where they
-- are needed, with false in those before them: an array with holes would be packed as a map.
local STATE, ORDER, ATTEMPT, TOKEN, MAX_ATTEMPTS, EXPIRES_AT, ROUTED_AT, DELIVERED_AT, READ_AT,
  FINISHED_AT, RETRY_DELAY, LIFETIME, HOLDER, HISTORY, DEATHS, ACCEPTED_AT, OFFER, OVER, TIMEOUT_AT =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19

local MAX_HISTORY = 20

-- The holder of what the station pushes: to lease and to reject is then its own doing, and no sign that
-- the agent lives.
local PUSHER = 'webhook'

local function unpack_delivery(packed)
  return cmsgpack.unpack(packed)
end

local function pack_delivery(delivery)
  return cmsgpack.pack(delivery)
end

-- What became of an attempt, kept for receipts and dead letters; the oldest goes first.
local function note_attempt(delivery, now, outcome, reason)
  local history = delivery[HISTORY]
  if #history >= MAX_HISTORY then table.remove(history, 1) end
  history[#history + 1] = { delivery[ATTEMPT], now, outcome, reason }
end
