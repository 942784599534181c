-- The part of lines in a claim, for functions whose code has limits of runs at once or priorities.
include lines
local places, visited_lines, more_in_lines = {}, {}, false
settle_freed()

-- How many places are left of a lane for a function, or nothing where it has no limit.
local function left_of(fn, lane)
  local most = most_of[fn][pool_of(lane)]
  if not most then return nil end
  if not places[lane] then places[lane] = held_of(lane) end
  return most - places[lane]
end
full_of = function(fn, lanes)
  for _, lane in ipairs(lanes) do
    local left = left_of(fn, lane)
    if left and left <= 0 then return lane end
  end
end
local function unpark_others(fn, lanes)
  local more = false
  for _, lane in ipairs(lanes) do
    local left = left_of(fn, lane)
    if left and left > 0 and unpark_next(fn, lane) then more = true end
  end
  return more
end

-- The due runs of a function in one of its queues: those with lanes go into their lines, and others are to be taken as they are.
local function enter_queue(fn, key, is_mixed, most, alone)
  local due = call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', '0', '1024')
  for place = 1, #due, 2 do
    local number = due[place]
    local run = read_run(number)
    local event_type = is_mixed and unread_type(fn, number)
    if event_type then
      if not leaves(fn, number, event_type, due[place + 1]) then return end
    elseif run[22] and run[13] == '' and (tonumber(run[12]) or 4) < 4 then
      enter(number, fn, type_of(run) or '', run[21], due[place + 1], run[22])
      call('ZREM', key, number)
      runs_read[number] = nil
    elseif #alone < most then
      alone[#alone + 1] = { number = number, due = due[place + 1], fn = fn, place = tonumber(due[place + 1]), queue = { key = key, place = 1, kept = 0 } }
    end
  end
end

-- The lines of a function that have work and a place, in the order of their turns. Those without a place are parked.
local function visit(fn, most)
  local found, seen, count = {}, {}, 0
  while #found < most and count < 4096 do
    local has_new = false
    local ready = call('ZRANGE', P .. 'lines:' .. fn, '0', string.format('%d', #found + most - 1 + (seen.skipped or 0)), 'WITHSCORES')
    for place = 1, #ready, 2 do
      local line, at = ready[place], ready[place + 1]
      if not seen[line] then
        seen[line], has_new, count = true, true, count + 1
        local event_type, lanes = line_parts(line)
        local full = full_of(fn, lanes)
        if not reads(fn, event_type) then
          -- Nor has a worker a use for the place that cannot read it.
          seen.skipped = (seen.skipped or 0) + 1
          if unpark_others(fn, lanes) then more_in_lines = true end
        elseif full then
          park(fn, line, full, most_of[fn][pool_of(full)], at)
          unpark_others(fn, lanes)
        elseif head_of(fn, line) then
          found[#found + 1] = { line = line, at = tonumber(at), lanes = lanes, fn = fn }
        else
          drop_line(fn, line)
          unpark_others(fn, lanes)
        end
      end
    end
    if not has_new then break end
  end
  return found
end

-- The runs of a function in the order of taking: its lines go round, and what counts for no limit is one group.
local function order_of(fn, most)
  local alone, order = {}, {}
  enter_queue(fn, P .. 'due:' .. fn, true, most, alone)
  for _, name in ipairs(apart) do
    local other, event_type = of_apart(name)
    if other == fn and reads(fn, event_type) then enter_queue(fn, P .. 'apart:' .. name, false, most, alone) end
  end
  if unpark_raised(fn, most_of[fn]) then more_in_lines = true end
  local found = visit(fn, most)
  local depth = math.max(1, math.ceil(2 * most / math.max(1, #found))) + 8
  for _, line in ipairs(found) do
    visited_lines[#visited_lines + 1] = line
    local key, round = P .. 'line:' .. fn .. ':' .. line.line, 0
    local heads = call('ZRANGE', key, '0', string.format('%d', depth - 1), 'WITHSCORES')
    for place = 1, #heads, 2 do
      local number = number_of(heads[place])
      if is_in(number, line.line) then
        round = round + 1
        local one = { number = number, member = heads[place], due = heads[place + 1], fn = fn, place = tonumber(heads[place + 1]), round = round, at = line.at,
          line = line, queue = { key = key, place = 1, kept = 0 } }
        if #line.lanes == 0 then
          alone[#alone + 1] = one
        else
          order[#order + 1] = one
        end
      else
        call('ZREM', key, heads[place])
      end
    end
  end
  table.sort(alone, function(a, b)
    if a.place ~= b.place then return a.place < b.place end
    return tonumber(a.number) < tonumber(b.number)
  end)
  for round, one in ipairs(alone) do
    one.round, one.at = round, alone[1].place * 1000
    order[#order + 1] = one
  end
  table.sort(order, function(a, b)
    if a.round ~= b.round then return a.round < b.round end
    if a.at ~= b.at then return a.at < b.at end
    return tonumber(a.number) < tonumber(b.number)
  end)
  return order
end

-- The next run of a function that has a place.
next_in_lines = function(fn)
  local state = states[fn]
  if not state then
    state = { fn = fn, most = math.min(limits[fn], room), taken = 0, place = 1 }
    state.order = state.most > 0 and order_of(fn, state.most) or {}
    states[fn] = state
  end
  if state.taken >= state.most then return nil end
  while true do
    local one = state.order[state.place]
    if not one then return nil end
    if one.queue.place == 1 and not (one.line and full_of(fn, one.line.lanes)) then return one end
    state.place = state.place + 1
  end
end

take_places = function(one)
  if not one.line then return end
  one.line.is_served = true
  for _, lane in ipairs(one.line.lanes) do
    if places[lane] then places[lane] = places[lane] + 1 end
  end
end

-- Sends lines that were served to the end of the round, and parks those that have no place left; whether there is more to take.
settle_lines = function()
  local more = more_in_lines
  local turn = math.max(tonumber(call('HGET', P .. 'meta', 'turn') or '0'), clock * 1000)
  local first = turn
  for _, one in ipairs(visited_lines) do
    local fn, line = one.fn, one.line
    local head, place = head_of(fn, line)
    if not head then
      drop_line(fn, line)
    else
      local at = one.at
      if one.is_served then
        turn = turn + 1
        at = math.max(tonumber(place) * 1000, turn)
        call('HSET', P .. 'state:' .. fn, line, 'served')
      end
      local full = full_of(fn, one.lanes)
      if full then
        park(fn, line, full, most_of[fn][pool_of(full)], string.format('%.0f', at))
      else
        more = true
        if one.is_served then call('ZADD', P .. 'lines:' .. fn, string.format('%.0f', at), line) end
      end
    end
    if unpark_others(fn, one.lanes) then more = true end
  end
  if turn > first then call('HSET', P .. 'meta', 'turn', string.format('%.0f', turn)) end
  return more
end
