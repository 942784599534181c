include awaits
include look
include attempts
-- The place of the last event of all.
local function last_place() return tonumber(call('HGET', P .. 'meta', 'place') or '0') end
-- Looks at the events of a lane, backwards from the last, until `is_found` says so of one; its place, or 0. Nearly always that is the
-- first.
local function last_of(lane, is_found)
  local behind, most = '+inf', 4
  while true do
    local log = call('ZREVRANGEBYSCORE', P .. 'log:' .. lane, behind, '-inf', 'WITHSCORES', 'LIMIT', '0', string.format('%d', most))
    for nth = 1, #log, 2 do
      local row = read_placed(log[nth])
      if row and is_found(log[nth], row) then return tonumber(row.place) end
    end
    if #log < 2 * most then return 0 end
    behind, most = '(' .. log[#log], 100
  end
end
-- The place before the first event of a lane that became visible at this time or later. Clocks may differ by a minute: no later one is
-- looked for behind one that became visible longer before.
local function place_before(lane, time)
  local first
  time = tonumber(time)
  last_of(lane, function(_, row)
    local visible = tonumber(row.due ~= '' and row.due or row.at)
    if visible >= time then first = tonumber(row.place) end
    return visible < time - 60000
  end)
  return first and first - 1 or last_place()
end
-- The place of the last event of a lane that became visible before a run was started by a plain event, or is this event.
local function place_of_start(lane, start)
  return last_of(lane, function(id, row)
    local is_before = tonumber(row.number) < start.number
    if row.due ~= '' then is_before = tonumber(row.due) < tonumber(start.at) end
    return is_before or id == start.id
  end)
end
-- Behind what a wait looks: "s" the start of the run, "n" now, "t" and a time, "p" and a place.
local function place_after(after, lane, start)
  local what, value = string.sub(after, 1, 1), string.sub(after, 2)
  if what == 'p' then return tonumber(value) end
  if what == 'n' then return last_place() end
  if what == 't' then return place_before(lane, value) end
  if not start then return 0 end
  if start.due then return place_before(lane, start.due) end
  return place_of_start(lane, start)
end
-- Writes an entry that waits for `types`, or that no longer does where there are none. It is `head`, the places, and `tail`. Says
-- whether somebody is to be woken.
local function write_wait(number, seq, head_text, tail, types, key, now)
  local run, steps = P .. 'run:' .. number, P .. 'steps:' .. number
  local present = call('HGET', steps, seq)
  if present then
    local waits, waited = string.sub(head_text, 1, 1) == '1', string.sub(present, 1, 1) == '1'
    if waits and not waited or attempts(head_text) < attempts(present) then return false end
  end
  local before = read_wait(present)
  if before then close_wait(number, seq, before) end
  if #types == 0 then
    call('HSET', steps, seq, head_text .. tail)
    return false
  end
  local found = call('HMGET', run, 'function', 'event', 'looks', 'started')
  for _, awaited in ipairs(types) do begin_to_await(found[1], awaited.event_type, now) end
  if not found[3] then let_look(number, found[1]) end
  local wakes = show_all_due(now, now)
  local start, wait, places = read_sight(found[2]), { t = {}, k = key }, {}
  -- It was published before the run began, whatever the clock of its publisher said.
  if start and tonumber(found[4] or start.at) < tonumber(start.at) then start.at = found[4] end
  for place, awaited in ipairs(types) do
    local passed
    if before and before.k == key then
      for nth, event_type in ipairs(before.t) do
        if not passed and event_type == awaited.event_type then passed = tonumber(before.c[nth]) end
      end
    end
    local after = passed
    if string.sub(awaited.after, 1, 1) == 'p' then
      after = math.max(passed or 0, tonumber(string.sub(awaited.after, 2)))
    elseif not passed then
      after = place_after(awaited.after, lane_of(awaited.event_type, key), start)
    end
    wait.t[place], places[place] = awaited.event_type, string.format('%d', after)
  end
  call('HSET', steps, seq, head_text .. table.concat(places, ',') .. tail)
  open_wait(number, seq, wait)
  return wakes
end
