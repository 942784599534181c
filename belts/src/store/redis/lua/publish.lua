-- Makes events durable and starts their runs. Answers for each event: whether it was there, its id, and of each run
-- its id, function, number, and the token where it is leased to the worker that asks.
-- ARGV: now, sender or nothing, worker or nothing, round, most runs in all, count of functions with the most runs of each;
-- count of events, each with id, due, retries, ticket, first part of the ids of its runs, what only clients read, and its
-- target: "function", id, whether a run id is given, the run id; or "type", the type, and the functions left out, counted.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
local now, worker, room = ARGV[1], ARGV[3], tonumber(ARGV[5])
local clock, limits, answers, at, wakes = tonumber(now), {}, {}, 7, false
for _ = 1, tonumber(ARGV[6]) do
  limits[ARGV[at]] = tonumber(ARGV[at + 1])
  at = at + 2
end
if worker ~= '' then
  local session = call('HMGET', P .. 'worker:' .. worker, 'ends', 'round')
  local is_alive = session[1] and clock < tonumber(session[1])
  -- A call of an earlier round was held back by a connection that broke: nobody would hear of its leases.
  if not is_alive or session[2] and tonumber(ARGV[4]) < tonumber(session[2]) then room = 0 end
end

local count = tonumber(ARGV[at])
at = at + 1
for place = 1, count do
  local id, due, retries, ticket, base, rest = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local by_type, target, first, last, run_id = ARGV[at + 6] == 'type', ARGV[at + 7], 1, 0, nil
  if by_type then
    first, last = at + 9, at + 8 + tonumber(ARGV[at + 8])
    at = last + 1
  else
    if ARGV[at + 8] ~= '' then run_id = ARGV[at + 9] end
    at = at + 10
  end

  local key, answer, there = P .. 'event:' .. id, nil, nil
  if run_id then
    -- Another event may have started the run that this one targets.
    there = call('GET', key)
    include find
    local number = not there and find(run_id)
    local run = number and call('HMGET', P .. 'run:' .. number, 'event', 'function')
    if run and run[1] then answer = { '1', run[1], run_id, run[2], number, '' } end
  end

  if not there and not answer then
    local functions
    if by_type then
      functions = call('ZRANGE', P .. 'type:' .. target, '0', '-1')
    else
      functions = { target }
      call('SADD', P .. 'functions', target)
    end
    if first <= last then
      local without, kept = {}, {}
      for other = first, last do without[ARGV[other]] = true end
      for _, fn in ipairs(functions) do
        if not without[fn] then kept[#kept + 1] = fn end
      end
      functions = kept
    end
    local size, numbers, before = #functions, ',', nil
    if size == 1 then
      before = call('HINCRBY', P .. 'meta', 'run', '1') - 1
    elseif size > 1 then
      before = call('HINCRBY', P .. 'meta', 'run', size) - size
    end
    for order = 1, size do numbers = numbers .. string.format('%d,', before + order) end
    -- If the event is there, the numbers are never used.
    if call('SETNX', key, ticket .. ' ' .. now .. ' ' .. numbers .. '\n' .. rest) == 0 then
      there = call('GET', key)
    else
      answer = { '0', id }
      for order, fn in ipairs(functions) do
        local number, token = string.format('%d', before + order), ''
        local run, name = P .. 'run:' .. number, run_id or base .. number
        if room > 0 and (limits[fn] or 0) > 0 and tonumber(due) <= clock then
          room, limits[fn], token = room - 1, limits[fn] - 1, ticket
          call('HSET', run, 'id', name, 'function', fn, 'event', id, 'token', ticket,
            'status', '1', 'lease', worker .. ' ' .. ticket, 'started', now)
          call('SADD', P .. 'held:' .. worker, number)
        else
          call('HSET', run, 'id', name, 'function', fn, 'event', id, 'token', ticket,
            'status', '0', 'lease', '', 'due', due)
          call('ZADD', P .. 'due:' .. fn, due, number)
          wakes = true
        end
        if retries ~= '' then call('HSET', run, 'retries', retries) end
        if run_id then call('SET', P .. 'id:' .. name, number) end
        call('ZADD', P .. 'runs', number, number)
        local filled = 4 * order - 2
        answer[filled + 1], answer[filled + 2], answer[filled + 3], answer[filled + 4] = name, fn, number, token
      end
      if size == 0 then call('ZADD', P .. 'idle', now, id) end
      -- These are the first runs of all, be it after a loss of all data.
      if before == 0 then call('HSETNX', P .. 'meta', 'format', '1') end
    end
  end

  if there then
    -- Its ticket tells whether this very request, sent again, has made it; then its leases are told again too.
    local made_with, runs = string.match(there, '^(%d+) %-?%d+ ([%d,]*)')
    local is_own = made_with == ticket
    answer = { is_own and '0' or '1', id }
    for number in string.gmatch(runs, '%d+') do
      local run = call('HMGET', P .. 'run:' .. number, 'id', 'function', 'lease')
      if run[1] then
        local is_held = is_own and worker ~= '' and run[3] == worker .. ' ' .. ticket
        local filled = #answer
        answer[filled + 1], answer[filled + 2], answer[filled + 3] = run[1], run[2], number
        answer[filled + 4] = is_held and ticket or ''
      end
    end
  end
  answers[place] = answer
end
if wakes and ARGV[2] ~= '' then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return answers
