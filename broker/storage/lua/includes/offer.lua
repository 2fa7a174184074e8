-- A recipient's copy of a claimable message: an offer, until its recipient claims the message. Expects
-- concluded, agent_id and what inbox.lua gives above (now, delivery.lua).
-- Copies of other messages lack both fields. OFFER is one of the following; OVER is the number of the
-- last claim on the message that is known to be over: no such claim ever gets anything here again.
local OFFERED, CLAIMED, ASIDE = 1, 2, 3

-- The verdicts by which the message of a claim is done, and not only its copy.
local DONE_BY = { acknowledged = true, replied = true }

-- Claims of a message are numbered as they come; a claim's token begins with its number.
local function claim_number(token)
  return tonumber(token:match('^(%d+)-'))
end

-- Whether the copy is nobody's work yet, whoever has it before his eyes.
local function is_offer(delivery)
  return delivery[OFFER] == OFFERED or delivery[OFFER] == ASIDE
end

-- A claim ends when its copy stops being leased, however that comes. Gives the entry of the outbox that
-- tells the sender's side, nil where there is no claim.
local function end_claim(id, delivery, kind)
  if delivery[OFFER] == ASIDE then delivery[OFFER] = OFFERED end
  if delivery[OFFER] ~= CLAIMED then return end
  local token = delivery[TOKEN]
  delivery[OFFER] = OFFERED
  delivery[OVER] = math.max(delivery[OVER], claim_number(token))
  return kind .. ':' .. token .. ' ' .. id .. ' ' .. agent_id
end

local function tell_of(entry)
  if entry then redis.call('ZADD', concluded, now, entry) end
end

-- An attempt is noted for what was somebody's work; to be shown an offer is none.
local function attempt_ended(delivery, outcome, reason)
  if not is_offer(delivery) then note_attempt(delivery, now, outcome, reason) end
end
