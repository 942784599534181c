-- How many runs of each function are due, none where it is paused. ARGV: now, functions.
include common
include apart
local counts, apart = {}, {}
for _, name in ipairs(call('SMEMBERS', P .. 'apart')) do
  local fn = of_apart(name)
  apart[fn] = (apart[fn] or 0) + call('ZCOUNT', P .. 'apart:' .. name, '-inf', ARGV[1])
end
for place = 2, #ARGV do
  local fn, count = ARGV[place], 0
  if call('HEXISTS', P .. 'paused', fn) == 0 then
    count = call('ZCOUNT', P .. 'due:' .. fn, '-inf', ARGV[1]) + (apart[fn] or 0)
  end
  counts[place - 1] = count
end
return counts
