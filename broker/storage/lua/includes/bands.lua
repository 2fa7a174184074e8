-- The first member of each priority in a queue, ten at most: by FIFO the oldest of its priority.
local function first_of_each_priority(queue)
  local heads, from = {}, '-inf'
  while true do
    local head = redis.call('ZRANGEBYSCORE', queue, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not head[1] then return heads end
    heads[#heads + 1] = head[1]
    from = (math.floor(tonumber(head[2]) / 2 ^ 48) + 1) * 2 ^ 48
  end
end
