-- Lines: the runs of a function that are due and count for the same lanes. A line is named by the event type, the two lanes, each of which
-- may be empty, with `\30` between. `line:<fn>:<line>` has its runs by their places, `lines:<fn>` those that are to be visited by
-- their turns, in microseconds, and `state:<fn>` of each "new", "served", or "@" and the lane that it is parked at. `full:<fn>:<lane>` has the
-- lines that are parked there by their turns, `waiting:<lane>` the functions that have some, and `fullby:<fn>:<pool>` the lanes at
-- which some are parked by the limits by which they were; `fullpools:<fn>` these pools. `lined` has the functions that have lines.
--
-- `places:<lane>` has the leases that count for it. One that the run has no more counts for nothing, whatever has ended it.
local function line_parts(line)
  local event_type, a, b = string.match(line, '^([^\30]*)\30([^\30]*)\30([^\30]*)$')
  local lanes = {}
  if a ~= '' then lanes[1] = a end
  if b ~= '' then lanes[#lanes + 1] = b end
  return event_type, lanes
end
local function pool_of(lane) return string.match(lane, '^[^\31]*') end
local function micros(millis) return string.format('%.0f', tonumber(millis) * 1000) end

-- A run as a member of a line: those of one place are in the order of their numbers.
local function member_of(number) return string.format('%016d', tonumber(number)) end
local function number_of(member) return string.match(member, '^0*(%d+)$') end

-- How many leases count for a lane.
local function held_of(lane)
  local key, held = P .. 'places:' .. lane, 0
  local rows = call('HGETALL', key)
  for place = 1, #rows, 2 do
    if redis.pcall('HGET', P .. 'run:' .. rows[place], 'lease') == rows[place + 1] then
      held = held + 1
    else
      call('HDEL', key, rows[place])
    end
  end
  return held
end

-- Whether a run stands in this line, which a cancel or an event may have taken it from.
local function is_in(number, line)
  local run = redis.pcall('HMGET', P .. 'run:' .. number, 'line', 'due', 'lease', 'status')
  return run[1] == line and run[2] == '' and run[3] == '' and (run[4] == '0' or run[4] == '2')
end

-- The first run of a line, and its place.
local function head_of(fn, line)
  local key = P .. 'line:' .. fn .. ':' .. line
  while true do
    local first = call('ZRANGE', key, '0', '0', 'WITHSCORES')
    if not first[1] then return nil end
    if is_in(number_of(first[1]), line) then return first[1], first[2] end
    call('ZREM', key, first[1])
  end
end

local function drop_line(fn, line)
  call('HDEL', P .. 'state:' .. fn, line)
  call('ZREM', P .. 'lines:' .. fn, line)
  if call('EXISTS', P .. 'state:' .. fn) == 0 then call('SREM', P .. 'lined', fn) end
end

-- Puts a due run into its line.
local function enter(number, fn, event_type, run_lanes, due, shift)
  local key, a, b = P .. 'run:' .. number, string.match(run_lanes or '', '^([^\30]*)\30?([^\30]*)$')
  local line = event_type .. '\30' .. a .. '\30' .. b
  local place = string.format('%.0f', tonumber(due) - tonumber(shift))
  local before = call('HGET', key, 'place')
  if before and tonumber(before) < tonumber(place) then place = before end
  call('HSET', key, 'due', '', 'line', line, 'place', place)
  call('HDEL', key, 'apart')
  call('ZADD', P .. 'line:' .. fn .. ':' .. line, place, member_of(number))
  local state = call('HGET', P .. 'state:' .. fn, line)
  if not state then
    call('SADD', P .. 'lined', fn)
    call('HSET', P .. 'state:' .. fn, line, 'new')
    call('ZADD', P .. 'lines:' .. fn, micros(place), line)
  elseif state == 'new' then
    -- One that was served keeps its turn.
    local at = call('ZSCORE', P .. 'lines:' .. fn, line)
    if not at or tonumber(at) > tonumber(place) * 1000 then call('ZADD', P .. 'lines:' .. fn, micros(place), line) end
  end
end

local function park(fn, line, lane, limit, at)
  local pool = pool_of(lane)
  call('ZREM', P .. 'lines:' .. fn, line)
  call('HSET', P .. 'state:' .. fn, line, '@' .. lane)
  call('ZADD', P .. 'full:' .. fn .. ':' .. lane, at, line)
  call('SADD', P .. 'waiting:' .. lane, fn)
  call('ZADD', P .. 'fullby:' .. fn .. ':' .. pool, string.format('%d', limit), lane)
  call('SADD', P .. 'fullpools:' .. fn, pool)
end

-- Has the next line of a function visited that is parked at a lane; whether there is one.
local function unpark_next(fn, lane)
  local key = P .. 'full:' .. fn .. ':' .. lane
  local first = call('ZRANGE', key, '0', '0', 'WITHSCORES')
  if first[1] then
    call('ZREM', key, first[1])
    call('HSET', P .. 'state:' .. fn, first[1], 'served')
    call('ZADD', P .. 'lines:' .. fn, micros(tonumber(first[2]) / 1000), first[1])
  end
  if call('EXISTS', key) == 0 then
    local pool = pool_of(lane)
    call('SREM', P .. 'waiting:' .. lane, fn)
    call('ZREM', P .. 'fullby:' .. fn .. ':' .. pool, lane)
    if call('EXISTS', P .. 'fullby:' .. fn .. ':' .. pool) == 0 then call('SREM', P .. 'fullpools:' .. fn, pool) end
  end
  return first[1]
end

-- Has lines visited of whose lane a place has become free: of each function the one whose turn is next.
local function settle_freed()
  local freed = redis.pcall('SPOP', P .. 'freed', 1000)
  for _, lane in ipairs(freed.err and {} or freed) do
    for _, fn in ipairs(call('SMEMBERS', P .. 'waiting:' .. lane)) do unpark_next(fn, lane) end
  end
end

-- Has lines visited that were parked by a smaller limit than that of now, or by one that the function has no more; whether there may be
-- others.
local function unpark_raised(fn, most_of)
  local more = false
  for _, pool in ipairs(call('SMEMBERS', P .. 'fullpools:' .. fn)) do
    local most = most_of[pool] and string.format('(%d', most_of[pool]) or '+inf'
    local lanes = call('ZRANGEBYSCORE', P .. 'fullby:' .. fn .. ':' .. pool, '-inf', most, 'LIMIT', '0', '64')
    for _, lane in ipairs(lanes) do
      unpark_next(fn, lane)
      more = more or #lanes == 64
    end
  end
  return more
end

-- Lets the runs of a function whose code has no lanes any more be due as others are.
local function leave_lines(fn)
  local left = 0
  for _, line in ipairs(call('HKEYS', P .. 'state:' .. fn)) do
    local key, event_type, lanes = P .. 'line:' .. fn .. ':' .. line, line_parts(line)
    for _, member in ipairs(call('ZRANGE', key, '0', '999')) do
      local number = number_of(member)
      if is_in(number, line) then
        local run = call('HMGET', P .. 'run:' .. number, 'place', 'shift')
        local due = string.format('%.0f', tonumber(run[1]) + tonumber(run[2]))
        call('HSET', P .. 'run:' .. number, 'due', due)
        call('HDEL', P .. 'run:' .. number, 'line', 'place')
        call('ZADD', P .. 'due:' .. fn, due, number)
      end
      call('ZREM', key, member)
      left = left + 1
    end
    if call('EXISTS', key) == 0 then
      drop_line(fn, line)
      for _, lane in ipairs(lanes) do
        if call('ZREM', P .. 'full:' .. fn .. ':' .. lane, line) == 1 and call('EXISTS', P .. 'full:' .. fn .. ':' .. lane) == 0 then
          unpark_next(fn, lane)
        end
      end
    end
    if left >= 1000 then return end
  end
end
