-- Ids made inside Redis: time, the partition's sequence in place of entropy, the partition.
local CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

local function crockford(number, length)
  local characters = {}
  for position = length, 1, -1 do
    local digit = number % 32
    characters[position] = CROCKFORD:sub(digit + 1, digit + 1)
    number = (number - digit) / 32
  end
  return table.concat(characters)
end

local function new_ulid(prefix, at_ms, sequence, partition)
  local unique = redis.call('INCR', sequence)
  return prefix .. crockford(at_ms, 10) .. crockford(unique, 14) .. crockford(partition, 2)
end
