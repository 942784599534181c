-- Removes finished runs, the longest finished first, what has expired of them, and events that started nothing. Answers how many
-- runs, how many events, and whether more of each are left.
-- ARGV: the time before which they finished, the most runs, the most events.
include common
include forget
include placed
include looking
include head
drop_unawaited(registered_awaits())
local before, most, most_events, runs, events = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), 0, 0

-- From where on events of a type must stay: the number of the first run that may look back for them, and when it was started.
local horizons = {}
local function horizon(event_type)
  if horizons[event_type] == nil then
    horizons[event_type] = false
    for fn in pairs(decoded(call('HGET', P .. 'awaited', event_type))) do
      local number, event_id = first_looking(fn)
      number = tonumber(number)
      if number and (not horizons[event_type] or number < horizons[event_type].number) then
        horizons[event_type] = { number = number, at = tonumber(string.match(head(event_id) or '', '^%d+ (%-?%d+) ')) }
      end
    end
  end
  return horizons[event_type]
end
-- Whether a run could still look back to an event, or it is not due yet.
local function is_looked_back_to(row, event_type)
  if row.place == '0' then return true end
  local start = horizon(event_type)
  if not start then return false end
  if row.due ~= '' then return not start.at or tonumber(row.due) >= start.at end
  return tonumber(row.number) > start.number
end

local function remove(number)
  local event_id, _, is_needed = forget(number)
  if event_id and not is_needed then
    local row = read_placed(event_id)
    if not row then
      call('UNLINK', P .. 'event:' .. event_id)
    elseif is_looked_back_to(row, type_of_lane(row.lane)) then
      spend(event_id)
    else
      remove_placed(event_id, row)
    end
  end
  call('ZREM', P .. 'finished', number)
  runs = runs + 1
end

-- Where the event told of the end of a run, nothing is told of that any more.
local function forget_told(event)
  local id, told = string.match(event, '^belts%.ended:(.*):(%d+)$')
  if id and call('GET', P .. 'told:' .. id) == told then call('UNLINK', P .. 'told:' .. id) end
end

local may_expire = false
if most > 0 then
  local has_kin = call('EXISTS', P .. 'kin') == 1
  -- With a time to live, runs expire about in the order in which they finished.
  for _, oldest in ipairs(call('ZRANGE', P .. 'finished', 0, most - 1)) do
    if call('EXISTS', P .. 'run:' .. oldest) == 0 then
      remove(oldest)
      local parent = has_kin and call('HGET', P .. 'kin', oldest)
      if parent then
        call('ZREM', P .. 'started:' .. parent, oldest)
        call('HDEL', P .. 'kin', oldest)
      end
    end
  end
  may_expire = runs == most
  for _, number in ipairs(call('ZRANGEBYSCORE', P .. 'finished', '-inf', '(' .. before, 'LIMIT', 0, most - runs)) do
    remove(number)
  end
end
-- Events that started nothing are kept as long, so that their ids stay known. With a time to live they expire about in their order.
local may_expire_idle = false
if most_events > 0 then
  for _, id in ipairs(call('ZRANGE', P .. 'idle', 0, most_events - 1)) do
    if call('EXISTS', P .. 'event:' .. id) == 0 then
      call('ZREM', P .. 'idle', id)
      forget_told(id)
      events = events + 1
    end
  end
  may_expire_idle = events == most_events
end
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'idle', '-inf', '(' .. before, 'LIMIT', 0, most_events - events)) do
  -- By now it may be another event of that id, which has runs.
  local start = redis.pcall('GETRANGE', P .. 'event:' .. id, 0, 63)
  if type(start) ~= 'string' or string.match(start, '^%d+ %-?%d+ ,[ %d]*\n') then call('UNLINK', P .. 'event:' .. id) end
  call('ZREM', P .. 'idle', id)
  forget_told(id)
  events = events + 1
end
-- Those of awaited types, of each the earliest place first. Some must stay, or seem to since the clock of their publisher was wrong.
local may_go_on = may_expire_idle
for _, event_type in ipairs(call('SMEMBERS', P .. 'spent')) do
  for _, id in ipairs(call('ZRANGE', P .. 'spent:' .. event_type, 0, most_events - events + 100)) do
    local row = read_placed(id)
    if not row then
      drop_spent(event_type, id)
    elseif tonumber(row.due ~= '' and row.due or row.at) >= tonumber(before) or is_looked_back_to(row, event_type) then
      -- It is passed over.
    elseif events == most_events then
      may_go_on = true
      break
    elseif not has_runs(id) then
      remove_placed(id, row)
      forget_told(id)
      events = events + 1
    end
  end
end
local more = may_expire or call('ZCOUNT', P .. 'finished', '-inf', '(' .. before) > 0
local more_events = may_go_on or call('ZCOUNT', P .. 'idle', '-inf', '(' .. before) > 0
return { runs, events, more and 1 or 0, more_events and 1 or 0 }
