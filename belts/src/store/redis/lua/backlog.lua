-- How many runs of each function are due. ARGV: now, functions.
include common
local counts = {}
for place = 2, #ARGV do
  counts[place - 1] = call('ZCOUNT', P .. 'due:' .. ARGV[place], '-inf', ARGV[1])
end
return counts
