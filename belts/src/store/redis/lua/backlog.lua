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
    -- Of those in lines, what has a place as far as claims have seen.
    for _, line in ipairs(call('ZRANGE', P .. 'lines:' .. fn, 0, 999)) do count = count + call('ZCARD', P .. 'line:' .. fn .. ':' .. line) end
  end
  counts[place - 1] = count
end
return counts
