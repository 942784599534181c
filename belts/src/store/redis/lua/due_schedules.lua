-- Schedules of functions that are due, the longest due first: when the next one is, and of each its name, function, due, version and value.
-- ARGV: now, the most that are wanted, the functions.
include common
local now, most, found, next_due = ARGV[1], tonumber(ARGV[2]), {}, nil
for at = 3, #ARGV do
  local fn = ARGV[at]
  if call('HEXISTS', P .. 'paused', fn) == 0 then
    local key = P .. 'ticks:' .. fn
    local due = call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', '0', tostring(most + 1))
    for place = 1, #due, 2 do found[#found + 1] = { name = due[place], due = tonumber(due[place + 1]) } end
    local later = call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', '0', '1')
    if later[2] and (not next_due or tonumber(later[2]) < next_due) then next_due = tonumber(later[2]) end
  end
end
table.sort(found, function(a, b) if a.due == b.due then return a.name < b.name end return a.due < b.due end)
if found[most + 1] then next_due = found[most + 1].due end
local answer = { next_due and string.format('%.0f', next_due) or false }
for place = 1, math.min(most, #found) do
  local name = found[place].name
  local row = call('HMGET', P .. 'schedule:' .. name, 'function', 'due', 'version', 'value')
  answer[#answer + 1] = { name, row[1], row[2], row[3], row[4] }
end
return answer
