-- The schedule of a name: that, its function, due, version and value; nothing if there is none. ARGV: the name.
include common
local row = call('HMGET', P .. 'schedule:' .. ARGV[1], 'function', 'due', 'version', 'value')
if not row[1] then return {} end
return { { ARGV[1], row[1], row[2], row[3], row[4] } }
