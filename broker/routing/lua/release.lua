-- Take routed messages out of ingress: each stands in its inbox, or has its verdict.
-- outcomes: released
-- The arguments are message ids. Safe to repeat.
local ingress = unpack(KEYS)

return { 'released', redis.call('ZREM', ingress, unpack(ARGV)) }
