include adopt
include family
include head
include limit
include payload
-- Whether an event only remains of a run that was skipped: another request asks for that run, and it has none.
local function is_left_over(id, ticket)
  local text = head(id)
  local made_with, header = string.match(text or '', '^(%d+) [^\n]*\n([^\n]*)\n')
  return made_with and made_with ~= ticket and decoded(header).x and not has_runs(id)
end
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
  local event = ticket .. ' ' .. now .. ' ,' .. number .. ',\n' .. ARGV[at + 5]
  if call('SETNX', key, event) == 0 then
    if not is_left_over(ARGV[at], ticket) then return false end
    call('SET', key, event)
    call('ZREM', P .. 'idle', ARGV[at])
  end
  untell(name)
  call('SADD', P .. 'functions', fn)
  local meta, clock = call('HMGET', P .. 'meta', 'seen', 'awaits', 'limited'), tonumber(now)
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
  if meta[3] then limit(number, fn, due, now, meta[1], false) end
  if ARGV[at + 8] ~= '' then adopt(number, ARGV[at + 8]) end
  return true
end
-- Tells the end of a run again, or that it is gone, if nothing is told of it any more; whether anybody is to be woken.
local function watch(id, now, ttl)
  local number = find(id)
  local run = number and call('HMGET', P .. 'run:' .. number, 'status', 'parent')
  if run and run[1] then return tonumber(run[1]) >= 4 and run[2] and tell_end(number, id, run[1], now, ttl) end
  local told = call('GET', P .. 'told:' .. id)
  local event = told and told_as(id, told)
  local text = event and read_text(event)
  if not text then return tell_of(id, ended_as('gone', 'null'), now, ttl) end
  -- If nobody awaited such events when it was told, no wait finds it.
  if call('HEXISTS', P .. 'placed', event) == 1 or call('HEXISTS', P .. 'awaited', ENDED) == 0 then return false end
  return tell_of(id, string.sub(text, -payload_of(text)), now, ttl)
end
-- Cancels a run that has not finished, if the one of this id has started it; whether it did.
local function cancel_own(name, parent, now, ttl)
  local number = find(name)
  local run = number and call('HMGET', P .. 'run:' .. number, 'status', 'lease', 'function', 'apart', 'parent', 'undo')
  if not run or run[6] or not run[1] or tonumber(run[1]) >= 4 or parent_of(run[5]) ~= parent then return false end
  cancel(number, run, now, ttl)
  end_family(number, now, ttl)
  return true
end
