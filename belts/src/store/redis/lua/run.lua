-- One run, or nothing. ARGV: run id.
local number = call('GET', P .. 'id:' .. ARGV[1])
return number and record(number)
