-- Exponential backoff with full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/):
-- a share of base * 2^(attempt - 1), which never exceeds `longest`; `jitter` is drawn from [0, 1).
local function backoff_ms(base, attempt, longest, jitter)
  local ceiling = math.min(longest, base * 2 ^ (attempt - 1))
  return math.floor(ceiling * jitter)
end
