-- Leases due runs. Answers "unknown" for a session that is not known, "again" where it must be called again first, the
-- session's round where the call is of an earlier one; or the runs with their journals, when the next is due, and
-- functions with due runs that were not named.
-- ARGV: now, sender, worker, round, most runs in all, whether one run is asked for, its id, count of functions with the
-- most runs of each.
local now, sender, worker, room = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[5])
local clock = tonumber(now)

local session = call('HMGET', P .. 'worker:' .. worker, 'lease', 'round')
if not session[1] then return 'unknown' end
if is_late(session[2], ARGV[4]) then return session[2] end

local ended = call('ZRANGEBYSCORE', P .. 'workers', '-inf', now, 'WITHSCORES', 'LIMIT', 0, 100)
for place = 1, #ended, 2 do
  if not release_runs(ended[place], ended[place + 1]) then return 'again' end
  call('ZREM', P .. 'workers', ended[place])
end
if #ended == 200 then return 'again' end
if released > 0 then wake(sender) end
if not call('ZSCORE', P .. 'workers', worker) then
  call('ZADD', P .. 'workers', text(clock + tonumber(session[1])), worker)
end

local limits, names, chosen, next_due = {}, {}, {}, false
for place = 1, tonumber(ARGV[8]) do
  names[place] = ARGV[7 + 2 * place]
  limits[names[place]] = tonumber(ARGV[8 + 2 * place])
end

local function later(due)
  if due and (not next_due or tonumber(due) < tonumber(next_due)) then next_due = due end
end

local function at_rank(fn, rank)
  return call('ZRANGE', P .. 'due:' .. fn, rank, rank, 'WITHSCORES')[2]
end

local function choose_named(run_id)
  local number = call('GET', P .. 'id:' .. run_id)
  local run = number and call('HMGET', P .. 'run:' .. number, 'function', 'status', 'worker')
  if run and run[1] and room > 0 and (limits[run[1]] or 0) > 0 and tonumber(run[2]) < 4 and run[3] == '' then
    chosen[1] = { number = number, fn = run[1] }
  end
end

-- The runs of a function that have been due longest, and when the next one after them is.
local function choose_due(fn)
  local head, most = at_rank(fn, 0), math.min(limits[fn], room)
  if not head or tonumber(head) > clock or most == 0 then return later(head) end
  local due = call('ZRANGEBYSCORE', P .. 'due:' .. fn, '-inf', now, 'WITHSCORES', 'LIMIT', 0, most)
  for place = 1, #due, 2 do
    chosen[#chosen + 1] = { number = due[place], fn = fn, due = due[place + 1], at = tonumber(due[place + 1]) }
  end
  later(at_rank(fn, #due / 2))
end

local function longest_due_first(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return tonumber(a.number) < tonumber(b.number)
end

local function take(number, fn)
  local key = P .. 'run:' .. number
  local run = call('HMGET', key, 'id', 'event', 'token', 'failed', 'retries', 'started')
  if not run[1] then
    call('ZREM', P .. 'due:' .. fn, number)
    return nil
  end
  local token, started = text(run[3] + 1), run[6] or now
  call('HSET', key, 'status', '1', 'worker', worker, 'token', token, 'due', '', 'started', started)
  call('ZREM', P .. 'due:' .. fn, number)
  call('SADD', P .. 'held:' .. worker, number)
  local event, journal = call('GET', P .. 'event:' .. run[2]), call('HGETALL', P .. 'steps:' .. number)
  return { number, token, run[1], fn, run[2], event, run[4], run[5], started, journal }
end

if ARGV[6] ~= '' then
  choose_named(ARGV[7])
else
  for _, fn in ipairs(names) do choose_due(fn) end
  table.sort(chosen, longest_due_first)
  if chosen[room + 1] then later(chosen[room + 1].due) end
end
local runs = {}
for place = 1, math.min(#chosen, room) do
  runs[#runs + 1] = take(chosen[place].number, chosen[place].fn)
end
if ARGV[6] ~= '' then
  for _, fn in ipairs(names) do later(at_rank(fn, 0)) end
end

local unknown = {}
for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do
  if not limits[fn] then
    local head = at_rank(fn, 0)
    if not head then
      call('SREM', P .. 'functions', fn)
    elseif tonumber(head) <= clock and #unknown < 8 then
      unknown[#unknown + 1] = fn
    end
  end
end
return { runs, next_due, unknown }
