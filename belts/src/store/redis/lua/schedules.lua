-- Schedules in the order of their names: of each its name, function, due, version and value.
-- ARGV: how many are wanted, and the name behind which they begin, or nothing.
include common
local answer = {}
local from = ARGV[2] and '(' .. ARGV[2] or '-'
for _, name in ipairs(call('ZRANGEBYLEX', P .. 'schedules', from, '+', 'LIMIT', '0', ARGV[1])) do
  local row = call('HMGET', P .. 'schedule:' .. name, 'function', 'due', 'version', 'value')
  answer[#answer + 1] = { name, row[1], row[2], row[3], row[4] }
end
return answer
