-- Leases due runs. Answers "unknown" for a session that is not known, "again" where it must be called again first, the
-- session's round where the call is of an earlier one; or the runs with their journals, when the next is due, functions with due
-- runs that were not named, functions and event types of due runs that cannot be read, what is no run at all, and whether somebody
-- waited for events that fell due.
-- ARGV: now, sender, worker, round, most runs in all, most bytes, what nobody can foresee, whether one run is asked for, its id,
-- count of functions; of each its id, the most runs of it, its event types, counted, or nothing for any, and its limits of runs at once,
-- counted, each a pool and how many, or nothing where its runs stand in no lines.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
include apart
include earlier
local now, worker, room, is_by_name = ARGV[1], ARGV[3], tonumber(ARGV[5]), ARGV[8] ~= ''
local clock, most_bytes, chance = tonumber(now), tonumber(ARGV[6]), tonumber(ARGV[7])

local session = redis.pcall('HMGET', P .. 'worker:' .. worker, 'lease', 'round', 'ends', 'build')
local lease = tonumber(session[1])
if not lease then return 'unknown' end
-- A call of an earlier round was held back by a connection that broke: nobody would hear of its leases.
if session[2] and tonumber(ARGV[4]) < tonumber(session[2]) then return session[2] end
if clock >= (tonumber(session[3]) or clock) then
  -- A session whose time had ended lives again, with what nobody took from it.
  local ends = string.format('%d', clock + lease)
  call('HSET', P .. 'worker:' .. worker, 'ends', ends)
  call('ZADD', P .. 'workers', ends, worker)
  call('ZADD', P .. 'wanting', ends, worker)
end

local ended = call('ZRANGEBYSCORE', P .. 'workers', '-inf', now, 'WITHSCORES', 'LIMIT', '0', '100')
if #ended > 0 then
  include release
  for place = 1, #ended, 2 do
    local other = ended[place]
    if not release_runs(other, ended[place + 1], true) then
      tell(ARGV[2])
      return 'again'
    end
    redis.pcall('HDEL', P .. 'worker:' .. other, 'ends')
    call('ZREM', P .. 'workers', other)
  end
  tell(ARGV[2])
  if #ended == 200 then return 'again' end
end

-- Delayed events that have fallen due.
local delayed, has_shown = call('ZRANGE', P .. 'delayed', '0', '0', 'WITHSCORES'), ''
if delayed[2] and tonumber(delayed[2]) <= clock then
  include show
  if show_due(now, now) then
    has_shown = '1'
    redis.pcall('PUBLISH', P .. 'wake', ARGV[2])
  end
  delayed = call('ZRANGE', P .. 'delayed', '0', '0', 'WITHSCORES')
end

local paused = {}
for _, fn in ipairs(call('HKEYS', P .. 'paused')) do paused[fn] = true end

local limits, named, readable, at, most_of, has_lanes = {}, {}, {}, 11, {}, false
for _ = 1, tonumber(ARGV[10]) do
  local fn, types = ARGV[at], ARGV[at + 2]
  limits[fn] = tonumber(ARGV[at + 1])
  if paused[fn] then
    limits[fn] = 0
  else
    named[#named + 1] = fn
  end
  at = at + 3
  if types ~= '' then
    readable[fn] = { at, at + tonumber(types) - 1 }
    at = at + tonumber(types)
  end
  local lanes = ARGV[at]
  at = at + 1
  if lanes ~= '' then
    most_of[fn], has_lanes = {}, true
    for _ = 1, tonumber(lanes) do
      most_of[fn][ARGV[at]] = tonumber(ARGV[at + 1])
      at = at + 2
    end
  end
end

-- Whether the worker can read an event type for a function that is named.
local function reads(fn, event_type)
  local range = readable[fn]
  if not range then return true end
  for place = range[1], range[2] do
    if ARGV[place] == event_type then return true end
  end
  return false
end

-- A run as its hash has it, read once.
local runs_read = {}
local function read_run(number)
  local run = runs_read[number]
  if not run then
    run = redis.pcall('HMGET', P .. 'run:' .. number, 'id', 'event', 'token', 'failed', 'retries', 'started', 'type', 'apart',
      'died', 'crashes', 'aside', 'status', 'lease', 'function', 'waits', 'parent', 'generation', 'limits', 'undo', 'flow', 'lanes', 'shift')
    runs_read[number] = run
  end
  return run
end

-- The type of a run's event; nothing where it cannot be told.
local function type_of(run)
  if run[7] or not run[2] then return run[7] end
  -- Earlier versions kept it with the event alone.
  local event = redis.pcall('GET', P .. 'event:' .. run[2])
  local line = type(event) == 'string' and string.match(event, '^[^\n]*\n([^\n]*)\n')
  local is_json, header = pcall(cjson.decode, line or 'null')
  return is_json and type(header) == 'table' and type(header.t) == 'string' and header.t
end

-- The type of a run's event, if the worker cannot read it for its function.
local function unread_type(fn, number)
  local event_type = readable[fn] and type_of(read_run(number))
  return event_type and not reads(fn, event_type) and event_type
end

local unknown_types, is_unknown_type = {}, {}
local function cannot_read(fn, event_type, due)
  local name = apart_name(fn, event_type)
  if tonumber(due) <= clock and #unknown_types < 16 and not is_unknown_type[name] then
    unknown_types[#unknown_types + 1], unknown_types[#unknown_types + 2] = fn, event_type
    is_unknown_type[name] = true
  end
end

-- Puts a run apart that the worker cannot read; false if this call has done so with many. While a session of an earlier version
-- lives, the first ones of a function stay where it finds them.
local put, stays, stay_of, is_beside_earlier, lost = 0, {}, {}, nil, {}
local function leaves(fn, number, event_type, due)
  if is_beside_earlier == nil then is_beside_earlier = has_earlier(now) end
  if is_beside_earlier and not stays[number] and (stay_of[fn] or 0) < STAY then
    stays[number], stay_of[fn] = true, (stay_of[fn] or 0) + 1
    cannot_read(fn, event_type, due)
  end
  if stays[number] then return 'stays' end
  if put >= 1000 then return false end
  put_apart(number, fn, event_type, due)
  put = put + 1
  return 'apart'
end

local apart = call('SMEMBERS', P .. 'apart')
if #apart > 0 then
  is_beside_earlier = has_earlier(now)
  for _, name in ipairs(is_beside_earlier and apart or {}) do bring_back(name, of_apart(name), now) end
end

-- The queues of a function of which the worker can read every run, but for the first, where others are among them.
local states = {}
local function open(fn)
  local state = { fn = fn, most = math.min(limits[fn], room), taken = 0, { key = P .. 'due:' .. fn, is_mixed = true } }
  for _, name in ipairs(apart) do
    local other, event_type = of_apart(name)
    if other == fn and reads(fn, event_type) then state[#state + 1] = { key = P .. 'apart:' .. name } end
  end
  for _, queue in ipairs(state) do queue.place, queue.kept, queue.due = 1, 0, nil end
  states[fn] = state
  return state
end

-- The first run of a queue that is due and was not chosen before.
local function first_of(queue, state)
  while true do
    if not queue.due then
      -- As many again as were passed over, if they are many.
      queue.asked = math.max(state.most, queue.kept)
      queue.due = call('ZRANGEBYSCORE', queue.key, '-inf', now, 'WITHSCORES', 'LIMIT', string.format('%d', queue.kept), queue.asked)
      queue.place = 1
    end
    local number, due = queue.due[queue.place], queue.due[queue.place + 1]
    local event_type = number and queue.is_mixed and unread_type(state.fn, number)
    local left = event_type and leaves(state.fn, number, event_type, due)
    if not number then
      if #queue.due < 2 * queue.asked then return nil end
      queue.due = nil
    elseif not event_type then
      return { number = number, due = due, fn = state.fn, queue = queue }
    elseif left then
      queue.place = queue.place + 2
      if left == 'stays' then queue.kept = queue.kept + 1 end
    else
      return nil
    end
  end
end

local next_in_lines, take_places, settle_lines, full_of
local lined = call('SMEMBERS', P .. 'lined')
if has_lanes then
  include in_lines
end
for _, fn in ipairs(lined) do
  if limits[fn] and not most_of[fn] then
    include lines
    leave_lines(fn)
  end
end

local function is_earlier(a, b)
  local due, other = tonumber(a.due), tonumber(b.due)
  if due ~= other then return due < other end
  return tonumber(a.number) < tonumber(b.number)
end

-- The run of a function that is due the longest.
local function next_of(fn)
  if most_of[fn] then return next_in_lines(fn) end
  local state = states[fn] or open(fn)
  if state.taken >= state.most then return nil end
  local best
  for _, queue in ipairs(state) do
    local first = first_of(queue, state)
    if first and (not best or is_earlier(first, best)) then best = first end
  end
  return best
end

-- Reads the event and the journal of a run; how many bytes they are, or nothing if it is none that waits. And whether it is left where it
-- is, since its time is over.
local function read_whole(one)
  local run = read_run(one.number)
  if run.err then
    lost[#lost + 1] = { one.number, one.fn, run.err }
    return nil
  end
  if run.is_chosen or not run[1] or not run[2] or (tonumber(run[12]) or 0) >= 4 or (run[13] or '') ~= '' then return nil end
  if run[18] then
    include times
    local over = over_at(run[18], run[6])
    if over and over <= clock then
      -- An earlier version that reran it did not say when its time is over.
      keep_time(one.number, run[18], run[6])
      return nil, true
    end
  end
  local event, journal, fault = redis.pcall('GET', P .. 'event:' .. run[2]), {}, ''
  if type(event) == 'table' then event, fault = false, event.err end
  if run[6] then journal = redis.pcall('HGETALL', P .. 'steps:' .. one.number) end
  if journal.err then journal, fault = {}, journal.err end
  local bytes = event and #event or 0
  for _, text in ipairs(journal) do bytes = bytes + #text end
  if run[15] then
    include look
    local least
    one.found, least = look_for(one.number, run[2], run[15])
    bytes = bytes + least
  end
  one.run, one.event, one.journal, one.fault = run, event, journal, fault
  return bytes
end

local chosen, removed, bytes = {}, {}, 0
local function remove(key, number)
  removed[key] = removed[key] or {}
  table.insert(removed[key], number)
end

if is_by_name then
  include find
  local number = find(ARGV[9])
  local run = number and read_run(number)
  local fn = run and run[14]
  local event_type = fn and readable[fn] and type_of(run)
  local lanes = {}
  for lane in string.gmatch(run and run[21] or '', '[^\30]+') do lanes[#lanes + 1] = lane end
  local is_full = fn and most_of[fn] and full_of(fn, lanes)
  if fn and room > 0 and not is_full and (limits[fn] or 0) > 0 and (not event_type or reads(fn, event_type)) then
    local one = { number = number, fn = fn }
    bytes = read_whole(one)
    if bytes then
      chosen[1] = one
      remove(P .. 'parked:' .. fn, number)
      remove(P .. 'due:' .. fn, number)
      if run[8] then remove(P .. 'apart:' .. run[8], number) end
      if run[12] == '3' then remove(P .. 'stopped:' .. fn, number) end
    end
  end
else
  -- The functions take turns, each with the run that is due the longest; within a turn the longest due goes first.
  -- What is over is left to `expire`, which wakes whoever waits: many of them are not passed over in one call.
  local is_full, passed = room <= 0, 0
  while not is_full do
    local turn = {}
    for _, fn in ipairs(named) do turn[#turn + 1] = next_of(fn) end
    if #turn == 0 then break end
    if #turn > 1 then table.sort(turn, is_earlier) end
    for _, one in ipairs(turn) do
      -- Another function may have taken its place in this turn.
      local is_held, size, is_over = one.line and full_of(one.fn, one.line.lanes), nil, nil
      if not is_held then size, is_over = read_whole(one) end
      if size and #chosen > 0 and bytes + size > most_bytes then
        is_full = true
        break
      end
      one.queue.place, one.queue.kept = one.queue.place + 2, one.queue.kept + 1
      if is_over then
        passed = passed + 1
        if passed >= 1000 then
          is_full = true
          break
        end
      elseif not is_held then
        remove(one.queue.key, one.member or one.number)
      end
      if size then
        bytes = bytes + size
        states[one.fn].taken = states[one.fn].taken + 1
        chosen[#chosen + 1] = one
        one.run.is_chosen = true
        if most_of[one.fn] then take_places(one) end
        if #chosen >= room then
          is_full = true
          break
        end
      end
    end
  end
  if #chosen > 1 then table.sort(chosen, is_earlier) end
end

local runs, numbers, room_left = {}, {}, math.max(0, most_bytes - (bytes or 0))
for place, one in ipairs(chosen) do
  local number, run = one.number, one.run
  local key, started, crashes = P .. 'run:' .. number, run[6] or now, 0
  -- The counter stands above 29 bits that only this client knows; a double has 53.
  local count = math.floor((tonumber(run[3]) or 0) / 536870912) + 1
  local token = string.format('%d', count * 536870912 + chance * (2 * place + 1) % 536870912)
  if run[6] then
    call('HSET', key, 'status', '1', 'lease', worker .. ' ' .. token, 'token', token, 'due', '')
  else
    call('HSET', key, 'status', '1', 'lease', worker .. ' ' .. token, 'token', token, 'due', '', 'started', now)
    if session[4] then call('HSET', key, 'build', session[4]) end
  end
  for lane in string.gmatch(run[21] or '', '[^\30]+') do call('HSET', P .. 'places:' .. lane, number, worker .. ' ' .. token) end
  if run[22] then call('HDEL', key, 'line', 'place') end
  if run[18] then
    include times
    keep_time(number, run[18], true)
  end
  if run[9] or run[10] then
    include attempts
    local before, base = string.match(run[10] or '', '^(%d+) (%d+)$')
    local progress = tonumber(run[4]) or 0
    for value = 2, #one.journal, 2 do
      if one.journal[value - 1] ~= 'result' then progress = progress + 1 + attempts(one.journal[value]) end
    end
    crashes = tonumber(before) or 0
    -- Something was recorded since.
    if crashes > 0 and progress > tonumber(base) then crashes = 0 end
    if run[9] then crashes = crashes + 1 end
    call('HDEL', key, 'died', 'crashes')
    if crashes > 0 then call('HSET', key, 'crashes', string.format('%d %d', crashes, progress)) end
  end
  if run[8] or run[11] then call('HDEL', key, 'apart', 'aside', 'keeps') end
  local arrivals
  if one.found then
    include bring
    arrivals, room_left = bring(one.found, room_left)
  end
  runs[place] = { number, token, run[1], one.fn, run[2], one.event, run[4], run[5], started, one.journal, crashes, one.fault,
    run[16], run[17], run[19], run[20], arrivals }
  numbers[place] = number
end
-- Lua hands over only so many arguments at once.
for first = 1, #numbers, 1000 do
  call('SADD', P .. 'held:' .. worker, unpack(numbers, first, math.min(first + 999, #numbers)))
end
for key, list in pairs(removed) do
  for first = 1, #list, 1000 do
    call('ZREM', key, unpack(list, first, math.min(first + 999, #list)))
  end
end

-- A run of a queue, the first where none is named, and when it is due.
local function look(key, place)
  local first = call('ZRANGE', key, place or '0', place or '0', 'WITHSCORES')
  return first[1], first[2]
end
local next_due, unknown = false, {}
local function goes_on(due)
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then next_due = due end
end
for _, fn in ipairs(named) do
  local number, due = look(P .. 'due:' .. fn)
  local event_type, place = number and unread_type(fn, number), 0
  local left = event_type and leaves(fn, number, event_type, due)
  while left do
    if left == 'stays' then place = place + 1 end
    number, due = look(P .. 'due:' .. fn, place)
    event_type = number and unread_type(fn, number)
    left = event_type and leaves(fn, number, event_type, due)
  end
  goes_on(due)
end
if has_lanes and settle_lines() then goes_on(now) end
local is_unknown = {}
local function misses(fn, due)
  if due and tonumber(due) <= clock and #unknown < 8 and not is_unknown[fn] and not paused[fn] then
    unknown[#unknown + 1], is_unknown[fn] = fn, true
  end
end
for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do
  if not limits[fn] then
    local _, due = look(P .. 'due:' .. fn)
    misses(fn, due)
  end
end
if put > 0 then apart = call('SMEMBERS', P .. 'apart') end
for _, name in ipairs(apart) do
  local fn, event_type = of_apart(name)
  local _, due = look(P .. 'apart:' .. name)
  if not due then
    call('SREM', P .. 'apart', name)
  elseif paused[fn] then
    -- It is not waited for.
  elseif not limits[fn] then
    misses(fn, due)
  elseif reads(fn, event_type) then
    goes_on(due)
  else
    cannot_read(fn, event_type, due)
  end
end
goes_on(delayed[2])
return { runs, next_due, unknown, unknown_types, lost, has_shown }
