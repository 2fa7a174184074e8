-- Take routed messages out of ingress: each stands in its inbox, or has its verdict.
-- outcomes: released, emptied
-- The arguments behind the named one are message ids. Safe to repeat. Where nothing is left the hold on
-- the partition ends as well, in the same step: who comes next rings.
local ingress, drainer, taken = unpack(KEYS)
local token = unpack(ARGV)

redis.call('ZREM', ingress, unpack(ARGV, 2))
if redis.call('EXISTS', ingress) == 1 then return { 'released' } end
redis.call('DEL', taken)
if redis.call('GET', drainer) == token then redis.call('DEL', drainer) end
return { 'emptied' }
