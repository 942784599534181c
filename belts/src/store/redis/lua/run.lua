-- One run, or nothing. ARGV: run id.
include common
include record
local number = call('GET', P .. 'id:' .. ARGV[1])
return number and record(number)
