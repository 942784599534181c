-- How many runs of each function are due. ARGV: now, functions.
include common
include apart
local counts, apart = {}, {}
for _, name in ipairs(call('SMEMBERS', P .. 'apart')) do
  local fn = of_apart(name)
  apart[fn] = (apart[fn] or 0) + call('ZCOUNT', P .. 'apart:' .. name, '-inf', ARGV[1])
end
for place = 2, #ARGV do
  counts[place - 1] = call('ZCOUNT', P .. 'due:' .. ARGV[place], '-inf', ARGV[1]) + (apart[ARGV[place]] or 0)
end
return counts
