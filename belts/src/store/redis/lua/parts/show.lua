include placed
-- Makes a run due that an event has arrived for, unless it keeps its time or somebody drives it; false if it is gone.
local function arouse(number, now)
  local key = P .. 'run:' .. number
  local run = redis.pcall('HMGET', key, 'status', 'lease', 'due', 'function', 'apart', 'keeps')
  if not run[1] or not run[4] then return false end
  if run[1] ~= '2' or run[2] ~= '' or run[6] == '1' then return true end
  local due = tonumber(run[3] or '')
  if due and due <= tonumber(now) then return true end
  call('HSET', key, 'due', now)
  if not due then call('ZREM', P .. 'parked:' .. run[4], number) end
  call('ZADD', run[5] and P .. 'apart:' .. run[5] or P .. 'due:' .. run[4], now, number)
  return true
end
-- Gives an event its place, and makes the runs due that wait for it; whether anybody does.
local function show(id, number, at, due, lane, now)
  local place = string.format('%d', call('HINCRBY', P .. 'meta', 'place', '1'))
  write_placed(id, place, number, at, due, lane)
  call('ZADD', P .. 'log:' .. lane, place, id)
  local waiting = call('SMEMBERS', P .. 'wait:' .. lane)
  for _, member in ipairs(waiting) do
    if not arouse(string.match(member, '^%d+'), now) then call('SREM', P .. 'wait:' .. lane, member) end
  end
  return #waiting > 0
end
-- Lets an event wait until it is due. Members are in the order of their numbers where times are the same.
local function delay(id, number, at, due, lane)
  write_placed(id, '0', number, at, due, lane)
  call('ZADD', P .. 'delayed', due, string.format('%016d ', tonumber(number)) .. id)
end
-- Shows what has fallen due, at most a thousand events; whether anybody waits for one, and whether there may be more.
local function show_due(until_then, now)
  local is_awaited = false
  local due = call('ZRANGEBYSCORE', P .. 'delayed', '-inf', until_then, 'LIMIT', '0', '1000')
  for _, member in ipairs(due) do
    call('ZREM', P .. 'delayed', member)
    local id = string.sub(member, 18)
    local row = read_placed(id)
    if row then
      is_awaited = show(id, row.number, row.at, row.due, row.lane, now) or is_awaited
      spend(id)
    end
  end
  return is_awaited, #due == 1000
end
-- Shows all of it: what is written next is to find it.
local function show_all_due(until_then, now)
  local is_awaited = false
  while true do
    local awaited, more = show_due(until_then, now)
    is_awaited = is_awaited or awaited
    if not more then return is_awaited end
  end
end
-- Shows an event that is published now; whether anybody waits for it or for what fell due before. `seen` is the latest time of a worker.
local function show_at_once(id, number, now, lane, seen)
  local heard, clock = tonumber(seen), tonumber(now)
  -- What fell due before it has its place before it, as far as the clock of the publisher can be trusted.
  local shown_by = heard and heard + 60000 < clock and string.format('%d', heard + 60000) or now
  local due_at = heard and heard < clock and clock - heard <= 86400000 and seen or now
  local is_awaited = show_all_due(shown_by, due_at)
  return show(id, number, now, '', lane, due_at) or is_awaited
end
