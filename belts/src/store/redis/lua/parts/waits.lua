include lane
-- What an entry waits for, if it does: the types `t`, the place `c` behind which each is looked for, and the key `k`.
local function read_wait(entry)
  local header = string.match(entry or '', '^1([^\n]*)\n')
  if not header or not string.find(header, '"w":{', 1, true) then return nil end
  local wait = decoded(header).w
  if type(wait) ~= 'table' or type(wait.t) ~= 'table' or type(wait.c) ~= 'table' then return nil end
  return wait
end
-- A run names the entries that wait in its field `waits`.
local function open_wait(number, seq, wait)
  for _, event_type in ipairs(wait.t) do
    call('SADD', P .. 'wait:' .. lane_of(event_type, wait.k), number .. ' ' .. seq)
  end
  local waits = call('HGET', P .. 'run:' .. number, 'waits')
  for open in string.gmatch(waits or '', '%d+') do
    if open == seq then return end
  end
  call('HSET', P .. 'run:' .. number, 'waits', (waits and waits .. ' ' or '') .. seq)
end
local function leave_lanes(number, seq, wait)
  for _, event_type in ipairs(wait.t) do
    call('SREM', P .. 'wait:' .. lane_of(event_type, wait.k), number .. ' ' .. seq)
  end
end
local function close_wait(number, seq, wait)
  leave_lanes(number, seq, wait)
  local left = {}
  for open in string.gmatch(call('HGET', P .. 'run:' .. number, 'waits') or '', '%d+') do
    if open ~= seq then left[#left + 1] = open end
  end
  if #left > 0 then
    call('HSET', P .. 'run:' .. number, 'waits', table.concat(left, ' '))
  else
    call('HDEL', P .. 'run:' .. number, 'waits')
  end
end
-- A run that is over waits for nothing, and looks back to nothing.
local function close_waits(number, fn)
  local run = P .. 'run:' .. number
  for seq in string.gmatch(call('HGET', run, 'waits') or '', '%d+') do
    local wait = read_wait(call('HGET', P .. 'steps:' .. number, seq))
    if wait then leave_lanes(number, seq, wait) end
  end
  call('HDEL', run, 'waits', 'looks', 'keeps')
  call('ZREM', P .. 'looking:' .. fn, number)
end
