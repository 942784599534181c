include event
include lane
-- What an event of an awaited type has in `placed`: its place, 0 before a delayed one is due; its number among runs and events; when it
-- was published; when it is due if it is delayed; and its lane.
local function read_placed(id)
  local row = call('HGET', P .. 'placed', id)
  local place, number, at, due, lane = string.match(row or '', '^(%d+) (%d+) (%-?%d+) (%-?%d*) (.*)$')
  if not place then return nil end
  return { place = place, number = number, at = at, due = due, lane = lane }
end
local function write_placed(id, place, number, at, due, lane)
  call('HSET', P .. 'placed', id, table.concat({ place, number, at, due, lane }, ' '))
end
-- Whether an event has runs that go on.
local function has_unfinished(id)
  local event = read_event(id)
  for number in string.gmatch(event and event.runs or '', '%d+') do
    local status = call('HGET', P .. 'run:' .. number, 'status')
    if status and tonumber(status) < 4 then return true end
  end
  return false
end
-- Whether any of its runs is left.
local function has_runs(id)
  local event = read_event(id)
  for number in string.gmatch(event and event.runs or '', '%d+') do
    if call('EXISTS', P .. 'run:' .. number) == 1 then return true end
  end
  return false
end
-- An event that has a place goes once no run can look back to it, unless one of its own goes on: a purge finds it in `spent`. False
-- for an event without a place.
local function spend(id)
  local row = read_placed(id)
  if not row then return false end
  if row.place ~= '0' and not has_unfinished(id) then
    local event_type = type_of_lane(row.lane)
    call('SADD', P .. 'spent', event_type)
    call('ZADD', P .. 'spent:' .. event_type, row.place, id)
  end
  return true
end
local function drop_spent(event_type, id)
  call('ZREM', P .. 'spent:' .. event_type, id)
  if call('EXISTS', P .. 'spent:' .. event_type) == 0 then call('SREM', P .. 'spent', event_type) end
end
-- Keeps an event from the purge, one of whose runs goes on.
local function unspend(id)
  local row = read_placed(id)
  if row then drop_spent(type_of_lane(row.lane), id) end
end
local function remove_placed(id, row)
  drop_spent(type_of_lane(row.lane), id)
  call('ZREM', P .. 'log:' .. row.lane, id)
  call('HDEL', P .. 'placed', id)
  call('UNLINK', P .. 'event:' .. id)
end
