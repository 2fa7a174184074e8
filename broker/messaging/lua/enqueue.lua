-- Store new messages durably and line each up for routing, or for its delivery time.
-- outcomes: stored
-- Behind the named keys comes each item's record, then three for each item that needs more than that:
-- idempotency, sender's agent, verdict of what it supersedes. Behind the named arguments comes each
-- item's contents. An item becomes: accepted, repeated <id>, conflict <id>, stale_epoch <current> or
-- full <recipient>.
local ingress, delayed, sequence, history, sent, bell, drainer, taken, counters, activity = unpack(KEYS)
local bell_ms, activity_cap, packed_items = unpack(ARGV)
-- include: acceptance

return (accept_all(11, 4))
