-- Makes events durable and starts their runs. Answers for each event: 0 if it is new, 1 if it was there, 2 if another one is there
-- under its id; its id; and of each run its id, function, number, and the token where it is leased to the worker that asks. Behind
-- these "awaited" where somebody waits for one of them.
-- ARGV: now, sender or nothing, time to live of what is over, worker or nothing, round, most runs in all, count of functions with the
-- most runs of each; count of events, each with id, type, due, retries, ticket, first part of the ids of its runs, what only clients
-- read, the parent of its runs or nothing, the functions of which the worker cannot read it, counted, and its target: "function", id,
-- whether a run id is given, the run id; or "type", and the functions left out, counted; and the flow options.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
local now, ttl, worker, room = ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[6])
local clock, limits, answers, at, wakes, seen, awaits, is_awaited, limited = tonumber(now), {}, {}, 8, false, nil, nil, false, nil
for _ = 1, tonumber(ARGV[7]) do
  limits[ARGV[at]] = tonumber(ARGV[at + 1])
  at = at + 2
end
local build
if worker ~= '' then
  local session = call('HMGET', P .. 'worker:' .. worker, 'ends', 'round', 'build')
  build = session[3]
  local is_alive = clock < (tonumber(session[1]) or clock)
  -- A call of an earlier round was held back by a connection that broke: nobody would hear of its leases.
  if not is_alive or session[2] and tonumber(ARGV[5]) < tonumber(session[2]) then room = 0 end
  for _, fn in ipairs(call('HKEYS', P .. 'paused')) do limits[fn] = nil end
end

local count = tonumber(ARGV[at])
at = at + 1
for place = 1, count do
  local id, event_type, due, retries = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local ticket, base, rest, parent = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
  local unread_first, unread_last = at + 9, at + 8 + tonumber(ARGV[at + 8])
  at = unread_last + 1
  local by_type, target, first, last, run_id = ARGV[at] == 'type', nil, 1, 0, nil
  if by_type then
    first, last = at + 2, at + 1 + tonumber(ARGV[at + 1])
    at = last + 1
  else
    target = ARGV[at + 1]
    if ARGV[at + 2] ~= '' then run_id = ARGV[at + 3] end
    at = at + 4
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
      functions = call('ZRANGE', P .. 'type:' .. event_type, '0', '-1')
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
    if size > 1 then
      before = call('HINCRBY', P .. 'meta', 'run', size) - size
    else
      before = call('HINCRBY', P .. 'meta', 'run', '1') - 1
      if size == 0 then numbers = string.format(', %d', before + 1) end
    end
    for order = 1, size do numbers = numbers .. string.format('%d,', before + order) end
    -- If the event is there, the numbers are never used.
    if call('SETNX', key, ticket .. ' ' .. now .. ' ' .. numbers .. '\n' .. rest) == 0 then
      there = call('GET', key)
    else
      answer = { '0', id }
      local unread
      for other = unread_first, unread_last do
        unread = unread or {}
        unread[ARGV[other]] = true
      end
      local is_due, is_placed = tonumber(due) <= clock, false
      if seen == nil then
        local meta = call('HMGET', P .. 'meta', 'seen', 'awaits', 'limited')
        seen, awaits, limited = meta[1], meta[2], meta[3]
      end
      for order, fn in ipairs(functions) do
        local number, token = string.format('%d', before + order), ''
        local run, name = P .. 'run:' .. number, run_id or base .. number
        if is_due and room > 0 and (limits[fn] or 0) > 0 and not (unread and unread[fn]) then
          room, limits[fn], token = room - 1, limits[fn] - 1, ticket
          call('HSET', run, 'id', name, 'function', fn, 'event', id, 'type', event_type, 'token', ticket,
            'status', '1', 'lease', worker .. ' ' .. ticket, 'started', now)
          if build then call('HSET', run, 'build', build) end
          call('SADD', P .. 'held:' .. worker, number)
        else
          if is_due then
            -- By the clock of the workers, if they were heard of within a day.
            local heard = tonumber(seen)
            if heard and tonumber(due) > heard and clock - heard <= 86400000 then due = seen end
          end
          call('HSET', run, 'id', name, 'function', fn, 'event', id, 'type', event_type, 'token', ticket,
            'status', '0', 'lease', '', 'due', due)
          call('ZADD', P .. 'due:' .. fn, due, number)
          wakes = true
        end
        if retries ~= '' then call('HSET', run, 'retries', retries) end
        if run_id then call('SET', P .. 'id:' .. name, number) end
        if limited then
          include limit
          limit(number, fn, due, now, seen, token ~= '')
        end
        if parent ~= '' then
          include adopt
          adopt(number, parent)
        end
        call('ZADD', P .. 'runs', number, number)
        if awaits and call('SISMEMBER', P .. 'awaiting', fn) == 1 then
          call('HSET', run, 'looks', '1')
          call('ZADD', P .. 'looking:' .. fn, number, number)
        end
        local filled = 4 * order - 2
        answer[filled + 1], answer[filled + 2], answer[filled + 3], answer[filled + 4] = name, fn, number, token
      end
      if awaits and by_type and call('HEXISTS', P .. 'awaited', event_type) == 1 then
        include show
        local first_number, header = string.format('%d', before + 1), decoded(string.match(rest, '^[^\n]*'))
        local lane = lane_of(event_type, header.c)
        is_placed = true
        if not is_due then
          delay(id, first_number, now, due, lane)
        else
          is_awaited = show_at_once(id, first_number, now, lane, seen) or is_awaited
        end
        if size == 0 then spend(id) end
      end
      if is_placed then
        -- It goes when nobody can look back to it.
      elseif size == 0 then
        call('ZADD', P .. 'idle', now, id)
        if ttl ~= '' then call('PEXPIRE', key, ttl) end
      end
      -- These are the first runs of all, be it after a loss of all data.
      if before == 0 then call('HSETNX', P .. 'meta', 'format', '1') end
    end
  end

  if there then
    -- Its ticket tells whether this very request, sent again, has made it; then its leases are told again too.
    local made_with, runs = string.match(there, '^(%d+) %-?%d+ ([%d,]*)')
    local is_own = made_with == ticket
    answer = { is_own and '0' or '1', id }
    local known, new = string.match(there, '^[^\n]*\n([^\n]*)'), string.match(rest, '^[^\n]*')
    known, new = string.match(known or '', ',"d":"(%x+)"}$'), string.match(new, ',"d":"(%x+)"}$')
    if not is_own and known and known ~= new then answer[1], runs = '2', '' end
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
-- Behind the events: count of flow options, and of each the place of its event, the function, and what they are.
local flows = tonumber(ARGV[at] or '0')
local routed = {}
if flows > 0 then
  include flow
  include stand
  for one = 1, flows do
    local place, fn, spec = tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3]
    at = at + 3
    local answer = answers[place]
    for filled = 2, answer[1] == '0' and #answer - 4 or 0, 4 do
      if answer[filled + 2] == fn then
        local options = cjson.decode(spec)
        local became, more = apply_flow(answer[filled + 3], options, now, ttl, false)
        if options.lanes and became ~= 'joined' and became ~= 'gone' then stand(answer[filled + 3], options.lanes, now, false) end
        routed[#routed + 1] = { tostring(place), answer[filled + 1], became, more or '' }
      end
    end
  end
end
answers[count + 1] = routed
if is_awaited then answers[count + 2] = 'awaited' end
if (wakes or is_awaited) and ARGV[2] ~= '' then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return answers
