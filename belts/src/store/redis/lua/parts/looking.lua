-- The first run of a function that has not finished and may look back, and its event. An earlier version ends runs that stay here.
local function first_looking(fn)
  while true do
    local number = call('ZRANGE', P .. 'looking:' .. fn, '0', '0')[1]
    if not number then return nil end
    local run = redis.pcall('HMGET', P .. 'run:' .. number, 'status', 'event')
    if run[1] and tonumber(run[1]) < 4 then return number, run[2] end
    call('ZREM', P .. 'looking:' .. fn, number)
  end
end
-- What runs of the functions of sessions may wait for: the functions of each type.
local function registered_awaits()
  local all = {}
  local rows = call('HGETALL', P .. 'awaits')
  for place = 1, #rows, 2 do
    -- Earlier versions drop what a session wants without this.
    local stands = call('HEXISTS', P .. 'wants', rows[place]) == 1
    if not stands then call('HDEL', P .. 'awaits', rows[place]) end
    for fn, types in pairs(stands and decoded(rows[place + 1]) or {}) do
      for _, event_type in ipairs(type(types) == 'table' and types or {}) do
        all[event_type] = all[event_type] or {}
        all[event_type][fn] = true
      end
    end
  end
  return all
end
-- What a function no longer awaits stands until its runs are over. `awaited` has the functions of each type, `awaiting` all of them.
local function drop_unawaited(registered)
  local rows, awaiting = call('HGETALL', P .. 'awaited'), {}
  if #rows == 0 then return end
  for place = 1, #rows, 2 do
    local event_type, kept, is_less = rows[place], {}, false
    for fn in pairs(decoded(rows[place + 1])) do
      if registered[event_type] and registered[event_type][fn] or first_looking(fn) then
        kept[fn], awaiting[fn] = true, true
      else
        is_less = true
      end
    end
    if next(kept) == nil then
      call('HDEL', P .. 'awaited', event_type)
    elseif is_less then
      call('HSET', P .. 'awaited', event_type, cjson.encode(kept))
    end
  end
  if next(awaiting) == nil then call('HDEL', P .. 'meta', 'awaits') end
  for _, fn in ipairs(call('SMEMBERS', P .. 'awaiting')) do
    if not awaiting[fn] then call('SREM', P .. 'awaiting', fn) end
  end
end
