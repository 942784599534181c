-- Removes finished runs, the longest finished first, and what has expired of them; answers how many.
-- ARGV: the time before which they finished, the most runs.
include common
include forget
local before, most, count = ARGV[1], tonumber(ARGV[2]), 0

local function remove(number)
  local event_id = forget(number)
  if event_id then call('UNLINK', P .. 'event:' .. event_id) end
  call('ZREM', P .. 'finished', number)
  count = count + 1
end

-- With a time to live, runs expire in the order in which they finished.
while count < most do
  local oldest = call('ZRANGE', P .. 'finished', 0, 0)[1]
  if not oldest or call('EXISTS', P .. 'run:' .. oldest) == 1 then break end
  remove(oldest)
end
for _, number in ipairs(call('ZRANGEBYSCORE', P .. 'finished', '-inf', '(' .. before, 'LIMIT', 0, most - count)) do
  remove(number)
end
-- Events that started nothing are kept as long, so that their ids stay known.
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'idle', '-inf', '(' .. before, 'LIMIT', 0, most)) do
  call('UNLINK', P .. 'event:' .. id)
  call('ZREM', P .. 'idle', id)
end
return count
