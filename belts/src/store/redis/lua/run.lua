-- One run, or nothing. ARGV: run id.
include common
include find
include record
local number = find(ARGV[1])
return number and record(number, false)
