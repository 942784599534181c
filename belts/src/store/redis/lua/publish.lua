-- Makes events durable and starts their runs. Answers for each event: whether it was there, its id, and of each run
-- its id, function, number, and the token where it is leased to the worker that asks.
-- ARGV: now, sender, worker or nothing, round, most runs in all, count of functions with the most runs of each; count of
-- events, each with id, due, retries, ticket, first part of the ids of its runs, what only clients read, and its target:
-- "function", id, whether a run id is given, the run id; or "type", the type, and the functions left out, counted.
local now, sender, worker, room = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5])
local clock, limits, at, wakes = tonumber(now), {}, 7, false
for _ = 1, tonumber(ARGV[6]) do
  limits[ARGV[at]] = tonumber(ARGV[at + 1])
  at = at + 2
end
if worker ~= '' then
  local ends = call('ZSCORE', P .. 'workers', worker)
  local is_alive = ends and clock < tonumber(ends)
  if not is_alive or is_late(call('HGET', P .. 'worker:' .. worker, 'round'), ARGV[4]) then room = 0 end
end

-- Takes the worker's place for one run of a function, if there is one.
local function takes(fn)
  local left = limits[fn] or 0
  if room <= 0 or left <= 0 then return false end
  room, limits[fn] = room - 1, left - 1
  return true
end

local function add_run(answer, id, fn, number, token)
  local last = #answer
  answer[last + 1], answer[last + 2], answer[last + 3], answer[last + 4] = id, fn, number, token
end

-- The answer for an event that is there. Its ticket tells whether this very request, sent again, has made it.
local function known(id, event, ticket)
  local own = event.ticket == ticket
  local answer = { own and '0' or '1', id }
  for number in string.gmatch(event.runs, '%d+') do
    local run = call('HMGET', P .. 'run:' .. number, 'id', 'function', 'worker', 'token')
    if run[1] then
      local held = own and worker ~= '' and run[3] == worker and run[4] == ticket
      add_run(answer, run[1], run[2], number, held and ticket or '')
    end
  end
  return answer
end

-- The answer for an event that targets a run which another event has started.
local function targeted(run_id)
  local number = call('GET', P .. 'id:' .. run_id)
  local run = number and call('HMGET', P .. 'run:' .. number, 'event', 'function')
  if not run or not run[1] then return nil end
  return { '1', run[1], run_id, run[2], number, '' }
end

-- The event's numbers for its runs, one after the other.
local function numbers(count)
  local last = call('HINCRBY', P .. 'meta', 'run', count)
  if last == count then call('HSETNX', P .. 'meta', 'format', FORMAT) end
  return last - count
end

local function start(event, number, run_id, fn)
  local run = P .. 'run:' .. number
  local fields = { 'id', run_id, 'function', fn, 'event', event.id, 'token', event.ticket }
  if event.retries ~= '' then
    fields[9], fields[10] = 'retries', event.retries
  end
  call('SET', P .. 'id:' .. run_id, number)
  call('ZADD', P .. 'runs', number, number)
  if tonumber(event.due) <= clock and takes(fn) then
    call('HSET', run, 'status', '1', 'worker', worker, 'due', '', 'started', now, unpack(fields))
    call('SADD', P .. 'held:' .. worker, number)
    return event.ticket
  end
  call('HSET', run, 'status', '0', 'worker', '', 'due', event.due, unpack(fields))
  queue(number, fn, event.due)
  wakes = true
  return ''
end

local function publish(event, functions, run_id)
  local answer, list = { '0', event.id }, ','
  if #functions == 0 then
    call('ZADD', P .. 'idle', now, event.id)
  else
    local before = numbers(#functions)
    for place, fn in ipairs(functions) do
      local number = text(before + place)
      local id = run_id or string.format('%s%04x', event.base, place)
      list = list .. number .. ','
      add_run(answer, id, fn, number, start(event, number, id, fn))
    end
  end
  call('SET', P .. 'event:' .. event.id, event.ticket .. ' ' .. now .. ' ' .. list .. '\n' .. event.rest)
  return answer
end

local function listeners(event_type, first, last)
  local all = call('ZRANGE', P .. 'type:' .. event_type, 0, -1)
  if last < first then return all end
  local without, kept = {}, {}
  for place = first, last do without[ARGV[place]] = true end
  for _, fn in ipairs(all) do
    if not without[fn] then kept[#kept + 1] = fn end
  end
  return kept
end

local answers, count = {}, tonumber(ARGV[at])
at = at + 1
for place = 1, count do
  local event = {
    id = ARGV[at], due = ARGV[at + 1], retries = ARGV[at + 2], ticket = ARGV[at + 3], base = ARGV[at + 4],
    rest = ARGV[at + 5],
  }
  local by_type, target = ARGV[at + 6] == 'type', ARGV[at + 7]
  local run_id, first, last
  if by_type then
    first, last = at + 9, at + 8 + tonumber(ARGV[at + 8])
    at = last + 1
  else
    run_id = ARGV[at + 8] ~= '' and ARGV[at + 9] or nil
    at = at + 10
  end
  local there = read_event(event.id)
  local answer = there and known(event.id, there, event.ticket) or not there and run_id and targeted(run_id)
  answers[place] = answer or publish(event, by_type and listeners(target, first, last) or { target }, run_id)
end
if wakes then wake(sender) end
return answers
