-- Removes finished runs, the longest finished first, what has expired of them, and events that started nothing. Answers how many
-- runs, how many events, and whether more of each are left.
-- ARGV: the time before which they finished, the most runs, the most events.
include common
include forget
local before, most, most_events, runs, events = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), 0, 0

local function remove(number)
  local event_id, _, is_needed = forget(number)
  if event_id and not is_needed then call('UNLINK', P .. 'event:' .. event_id) end
  call('ZREM', P .. 'finished', number)
  runs = runs + 1
end

local may_expire = false
if most > 0 then
  -- With a time to live, runs expire about in the order in which they finished.
  for _, oldest in ipairs(call('ZRANGE', P .. 'finished', 0, most - 1)) do
    if call('EXISTS', P .. 'run:' .. oldest) == 0 then remove(oldest) end
  end
  may_expire = runs == most
  for _, number in ipairs(call('ZRANGEBYSCORE', P .. 'finished', '-inf', '(' .. before, 'LIMIT', 0, most - runs)) do
    remove(number)
  end
end
-- Events that started nothing are kept as long, so that their ids stay known.
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'idle', '-inf', '(' .. before, 'LIMIT', 0, most_events)) do
  -- By now it may be another event of that id, which has runs.
  local start = redis.pcall('GETRANGE', P .. 'event:' .. id, 0, 63)
  if type(start) ~= 'string' or string.match(start, '^%d+ %-?%d+ ,\n') then call('UNLINK', P .. 'event:' .. id) end
  call('ZREM', P .. 'idle', id)
  events = events + 1
end
local more = may_expire or call('ZCOUNT', P .. 'finished', '-inf', '(' .. before) > 0
local more_events = call('ZCOUNT', P .. 'idle', '-inf', '(' .. before) > 0
return { runs, events, more and 1 or 0, more_events and 1 or 0 }
