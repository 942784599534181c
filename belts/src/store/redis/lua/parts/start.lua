include adopt
include family
-- Starts the run that an event asks for, unless it is there; whether anybody is to be woken. ARGV from `at` on: id of the event, type,
-- due, retries, ticket, what only clients read, function, run id, parent.
local function start(at, now, ttl)
  local key, due, ticket, fn, name = P .. 'event:' .. ARGV[at], ARGV[at + 2], ARGV[at + 4], ARGV[at + 6], ARGV[at + 7]
  local there = find(name)
  local run = there and call('HMGET', P .. 'run:' .. there, 'status', 'parent')
  if run and run[1] then
    -- Whoever waits for it now may have missed its end, unless it was started by this very request, which is sent again.
    local known = redis.pcall('GETRANGE', key, '0', '63')
    local is_own = type(known) == 'string' and string.match(known, '^%d+') == ticket
    return tonumber(run[1]) >= 4 and run[2] and not is_own and tell_end(there, name, run[1], now, ttl)
  end
  local number = string.format('%d', call('HINCRBY', P .. 'meta', 'run', '1'))
  if call('SETNX', key, ticket .. ' ' .. now .. ' ,' .. number .. ',\n' .. ARGV[at + 5]) == 0 then return false end
  call('SADD', P .. 'functions', fn)
  local meta, clock = call('HMGET', P .. 'meta', 'seen', 'awaits'), tonumber(now)
  local heard = tonumber(meta[1])
  -- By the clock of the workers, if they were heard of within a day.
  if tonumber(due) <= clock and heard and tonumber(due) > heard and clock - heard <= 86400000 then due = meta[1] end
  call('HSET', P .. 'run:' .. number, 'id', name, 'function', fn, 'event', ARGV[at], 'type', ARGV[at + 1], 'token', ticket,
    'status', '0', 'lease', '', 'due', due)
  if ARGV[at + 3] ~= '' then call('HSET', P .. 'run:' .. number, 'retries', ARGV[at + 3]) end
  call('ZADD', P .. 'due:' .. fn, due, number)
  call('SET', P .. 'id:' .. name, number)
  call('ZADD', P .. 'runs', number, number)
  if meta[2] and call('SISMEMBER', P .. 'awaiting', fn) == 1 then
    call('HSET', P .. 'run:' .. number, 'looks', '1')
    call('ZADD', P .. 'looking:' .. fn, number, number)
  end
  if ARGV[at + 8] ~= '' then adopt(number, ARGV[at + 8]) end
  return true
end
-- Cancels a run that has not finished, if the one of this id has started it; whether it did.
local function cancel_own(name, parent, now, ttl)
  local number = find(name)
  local run = number and call('HMGET', P .. 'run:' .. number, 'status', 'lease', 'function', 'apart', 'parent')
  if not run or not run[1] or tonumber(run[1]) >= 4 or parent_of(run[5]) ~= parent then return false end
  cancel(number, run, now, ttl)
  end_family(number, now, ttl)
  return true
end
