-- Puts values in the place of others that are there; answers how many.
-- ARGV: of each what it is, whose, its seq or nothing, the value that must be there, and the one that takes its place.
include common
include find
local count = 0
-- What stands before the value, if it is this one.
local function head_of(text, from, pattern)
  local _, stop = string.find(text, pattern)
  return stop and string.sub(text, stop + 1) == from and string.sub(text, 1, stop)
end
for at = 1, #ARGV, 5 do
  local what, id, seq, from, to = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  if what == 'event' then
    local key = P .. 'event:' .. id
    local head = head_of(call('GET', key) or '', from, '^[^\n]*\n[^\n]*\n')
    if head then
      call('SET', key, head .. to, 'KEEPTTL')
      count = count + 1
    end
  else
    local number = find(id)
    local key = P .. 'steps:' .. (number or '')
    local text = number and call('HGET', key, seq)
    local head = text and (seq == 'result' and (text == from and '') or seq ~= 'result' and head_of(text, from, '^[^\n]*\n'))
    if head then
      call('HSET', key, seq, head .. to)
      count = count + 1
    end
  end
end
return count
