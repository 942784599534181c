-- The journal of a run. ARGV: run id.
include common
local number = call('GET', P .. 'id:' .. ARGV[1])
return number and call('HGETALL', P .. 'steps:' .. number) or {}
