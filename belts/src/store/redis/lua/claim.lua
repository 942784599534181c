-- Leases due runs. Answers "unknown" for a session that is not known, "again" where it must be called again first, the
-- session's round where the call is of an earlier one; or the runs with their journals, when the next is due, and
-- functions with due runs that were not named.
-- ARGV: now, sender, worker, round, most runs in all, whether one run is asked for, its id, count of functions with the
-- most runs of each.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
local now, worker, room, is_by_name = ARGV[1], ARGV[3], tonumber(ARGV[5]), ARGV[6] ~= ''
local clock = tonumber(now)

local session = call('HMGET', P .. 'worker:' .. worker, 'lease', 'round', 'ends')
if not session[1] then return 'unknown' end
-- A call of an earlier round was held back by a connection that broke: nobody would hear of its leases.
if session[2] and tonumber(ARGV[4]) < tonumber(session[2]) then return session[2] end

local ended = call('ZRANGEBYSCORE', P .. 'workers', '-inf', now, 'WITHSCORES', 'LIMIT', '0', '100')
if #ended > 0 then
  include release
  for place = 1, #ended, 2 do
    local other = ended[place]
    if not release_runs(other, ended[place + 1]) then
      tell(ARGV[2])
      return 'again'
    end
    call('HDEL', P .. 'worker:' .. other, 'ends')
    call('ZREM', P .. 'workers', other)
    if other == worker then session[3] = false end
  end
  tell(ARGV[2])
  if #ended == 200 then return 'again' end
end
if not session[3] then
  -- A session whose time had ended begins anew.
  local ends = string.format('%d', clock + tonumber(session[1]))
  call('HSET', P .. 'worker:' .. worker, 'ends', ends)
  call('ZADD', P .. 'workers', ends, worker)
end

local limits, queues, chosen, next_due = {}, {}, {}, nil
for place = 1, tonumber(ARGV[8]) do
  local fn = ARGV[7 + 2 * place]
  limits[fn], queues[place] = tonumber(ARGV[8 + 2 * place]), fn
end

-- Notes when the run of that place in a queue is due.
local function look(fn, place)
  local due = call('ZRANGE', P .. 'due:' .. fn, place, place, 'WITHSCORES')[2]
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then next_due = due end
  return due
end

if is_by_name then
  include find
  local number = find(ARGV[7])
  local run = number and call('HMGET', P .. 'run:' .. number, 'function', 'status', 'lease')
  if run and run[1] and room > 0 and (limits[run[1]] or 0) > 0 and tonumber(run[2]) < 4 and run[3] == '' then
    chosen[1] = { number = number, fn = run[1] }
  end
else
  for _, fn in ipairs(queues) do
    local most = math.min(limits[fn], room)
    local due = {}
    if most > 0 then
      due = call('ZRANGEBYSCORE', P .. 'due:' .. fn, '-inf', now, 'WITHSCORES', 'LIMIT', '0', most)
    end
    for place = 1, #due, 2 do
      chosen[#chosen + 1] = { number = due[place], fn = fn, due = due[place + 1] }
    end
    look(fn, #due / 2)
  end
  if #chosen > 1 then
    table.sort(chosen, function(a, b)
      local due, other = tonumber(a.due), tonumber(b.due)
      if due ~= other then return due < other end
      return tonumber(a.number) < tonumber(b.number)
    end)
  end
  local left = chosen[room + 1]
  if left and (not next_due or tonumber(left.due) < tonumber(next_due)) then next_due = left.due end
end

local runs, numbers, taken = {}, {}, {}
for place = 1, math.min(#chosen, room) do
  local number, fn = chosen[place].number, chosen[place].fn
  local key = P .. 'run:' .. number
  local run = call('HMGET', key, 'id', 'event', 'token', 'failed', 'retries', 'started')
  local token, started, journal = string.format('%d', run[3] + 1), run[6], {}
  if started then
    call('HSET', key, 'status', '1', 'lease', worker .. ' ' .. token, 'token', token, 'due', '')
    journal = call('HGETALL', P .. 'steps:' .. number)
  else
    started = now
    call('HSET', key, 'status', '1', 'lease', worker .. ' ' .. token, 'token', token, 'due', '', 'started', now)
  end
  runs[place] = { number, token, run[1], fn, run[2], call('GET', P .. 'event:' .. run[2]), run[4], run[5], started, journal }
  numbers[place] = number
  taken[fn] = taken[fn] or {}
  table.insert(taken[fn], number)
end
-- Lua hands over only so many arguments at once.
for first = 1, #numbers, 1000 do
  call('SADD', P .. 'held:' .. worker, unpack(numbers, first, math.min(first + 999, #numbers)))
end
for fn, list in pairs(taken) do
  for first = 1, #list, 1000 do
    call('ZREM', P .. 'due:' .. fn, unpack(list, first, math.min(first + 999, #list)))
  end
end
if is_by_name then
  for _, fn in ipairs(queues) do look(fn, 0) end
end
local next_named = next_due

local unknown = {}
for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do
  if not limits[fn] then
    local due = look(fn, 0)
    if due and tonumber(due) <= clock and #unknown < 8 then
      unknown[#unknown + 1] = fn
    end
  end
end
return { runs, next_named or false, unknown }
