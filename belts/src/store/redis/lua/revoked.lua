-- Which leases stand no longer: a digit for each, 1 where it does. ARGV: run and lease of each.
include common
local stand = {}
for place = 1, #ARGV, 2 do
  local lease = redis.pcall('HGET', P .. 'run:' .. ARGV[place], 'lease')
  stand[#stand + 1] = lease == ARGV[place + 1] and '1' or '0'
end
return table.concat(stand)
