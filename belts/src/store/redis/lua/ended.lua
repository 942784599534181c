-- The last runs that ended since a time, the last first: of each its function, its status and its time.
-- ARGV: the time, and the most runs.
include common
local found = {}
for _, number in ipairs(call('ZREVRANGEBYSCORE', P .. 'finished', '+inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local run = redis.pcall('HMGET', P .. 'run:' .. number, 'function', 'status', 'ended')
  if run[1] and run[2] and run[3] then
    found[#found + 1] = run[1]
    found[#found + 1] = run[2]
    found[#found + 1] = run[3]
  end
end
return found
