-- Tell the sender's side of verdicts: when the last recipient has one, the record's retention runs.
-- outcomes: concluded
-- It takes `<recipient> <retention ms> <closed>` an argument, and the keys record and outstanding
-- for each; it returns the ms that each record has left. A death leaves the case open: it only
-- prolongs the record. Safe to repeat.

local left = {}
for index = 1, #ARGV do
  local recipient, retention_ms, closed = ARGV[index]:match('^(%S+) (%d+) ([01])$')
  local record, outstanding = KEYS[index * 2 - 1], KEYS[index * 2]
  if closed == '0' then
    redis.call('PEXPIRE', record, retention_ms, 'GT')
  else
    -- Only a message to several has anyone outstanding.
    local others = redis.call('SCARD', outstanding)
    if others > 0 then others = others - redis.call('SREM', outstanding, recipient) end
    if others == 0 then redis.call('PEXPIRE', record, retention_ms) end
  end
  left[index] = math.max(0, redis.call('PTTL', record))
end
return { 'concluded', unpack(left) }
