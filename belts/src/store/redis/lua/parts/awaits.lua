include show
include looking
include unfinished
include head
-- What the order of events needs of one: its number, when it was published, when it is due if it is delayed; and its type and key.
local function read_sight(id)
  local text = head(id)
  local at, runs, number = string.match(text or '', '^%d+ (%-?%d+) ,([%d,]*) ?(%d*)\n')
  if not at then return nil end
  local header = decoded(string.match(text, '\n([^\n]*)\n'))
  local first = string.match(runs, '%d+') or number
  return { id = id, number = tonumber(first) or 0, at = at, due = header.v, event_type = header.t, key = header.c, is_targeted = header.x }
end
-- The first run of all that has not finished.
local function first_unfinished()
  local first
  local driven = driven_runs()
  for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do
    for _, number in ipairs(unfinished_runs(fn, driven, 1000000000)) do
      number = tonumber(number)
      if not first or number < first then first = number end
    end
  end
  return first
end
-- Puts events in the order in which they became visible: plain ones as they were published, and delayed ones among them by time.
local function order_by_sight(events)
  table.sort(events, function(a, b) return a.number < b.number end)
  local latest = -math.huge
  for _, event in ipairs(events) do
    if event.due then
      event.order = tonumber(event.due)
    else
      latest = math.max(latest, tonumber(event.at))
      event.order = latest
    end
  end
  table.sort(events, function(a, b)
    if a.order ~= b.order then return a.order < b.order end
    return a.number < b.number
  end)
end
-- Gives places to the events of a type that runs which have not finished could look back to.
local function place_what_is_there(event_type, now)
  local first, found, seen = first_unfinished(), {}, {}
  local function consider(id)
    if seen[id] or call('HEXISTS', P .. 'placed', id) == 1 then return end
    seen[id] = true
    local event = read_sight(id)
    if not event or event.event_type ~= event_type or event.is_targeted then return end
    local is_to_come = event.due and tonumber(event.due) > tonumber(now)
    if is_to_come or first and (event.due or event.number > first) then found[#found + 1] = event end
  end
  local since = tonumber(now)
  if first then
    for _, number in ipairs(call('ZRANGEBYSCORE', P .. 'runs', first, '+inf')) do
      local run = redis.pcall('HMGET', P .. 'run:' .. number, 'event', 'type')
      if run[1] and (run[2] or event_type) == event_type then consider(run[1]) end
    end
    local start = read_sight(redis.pcall('HGET', P .. 'run:' .. string.format('%d', first), 'event') or '')
    if start then since = math.min(since, tonumber(start.at)) end
  end
  -- They are by the clocks of publishers, which differ.
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'idle', string.format('%d', since - 86400000), '+inf')) do consider(id) end
  order_by_sight(found)
  for _, event in ipairs(found) do
    local number, due, lane = string.format('%d', event.number), event.due or '', lane_of(event_type, event.key)
    call('PERSIST', P .. 'event:' .. event.id)
    call('ZREM', P .. 'idle', event.id)
    if event.due and tonumber(due) > tonumber(now) then
      delay(event.id, number, event.at, due, lane)
    else
      show(event.id, number, event.at, due, lane, now)
      spend(event.id)
    end
  end
end
-- Notes that a run may look back.
local function let_look(number, fn)
  call('HSET', P .. 'run:' .. number, 'looks', '1')
  call('ZADD', P .. 'looking:' .. fn, number, number)
end
-- From here on runs of the function may wait for events of this type; those that are there get their places if nobody gave them any.
local function begin_to_await(fn, event_type, now)
  local row = call('HGET', P .. 'awaited', event_type)
  local functions = decoded(row)
  if functions[fn] then return end
  if call('SADD', P .. 'awaiting', fn) == 1 then
    for _, number in ipairs(unfinished_runs(fn, driven_runs(), 1000000000)) do let_look(number, fn) end
  end
  functions[fn] = true
  call('HSET', P .. 'awaited', event_type, cjson.encode(functions))
  -- A publish looks at this alone.
  call('HSET', P .. 'meta', 'awaits', '1')
  if not row then place_what_is_there(event_type, now) end
end
-- Looks again at what the sessions await.
local function settle_awaits(now)
  local registered = registered_awaits()
  drop_unawaited(registered)
  for event_type, functions in pairs(registered) do
    for fn in pairs(functions) do begin_to_await(fn, event_type, now) end
  end
end
