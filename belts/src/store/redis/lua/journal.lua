-- The journal of a run. ARGV: run id.
include common
include find
local number = find(ARGV[1])
return number and call('HGETALL', P .. 'steps:' .. number) or {}
