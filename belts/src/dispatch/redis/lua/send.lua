-- Sends messages: for each its delay in milliseconds, empty for none, the id under which it is held back, and its body.
-- Answers the id of each.
include keys
include now
include later
local ids = {}
for i = 1, #ARGV, 3 do
  local delay, id, body = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if delay == '' then
    id = call('XADD', stream, '*', 'body', body)
  else
    later(id, 0, '', body, delay)
  end
  ids[#ids + 1] = id
end
return ids
