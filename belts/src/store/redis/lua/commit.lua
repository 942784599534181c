-- Fenced writes of workers. Answers a digit for each commit: 1 where it was written, 0 where the lease had ended.
-- ARGV: now, whether this is sent again, time to live of finished runs, sender, count of commits; for each commit its
-- run, worker, token and change; where there is a change, its due, failed and result; count of entries, seq and entry
-- of each. A change is the new status, or "x" to remove the run.
local now, resent, ttl, sender = ARGV[1], ARGV[2] ~= '', ARGV[3], ARGV[4]
local clock, alive, outcomes, left_due = tonumber(now), {}, {}, false

local function is_alive(worker)
  local known = alive[worker]
  if known == nil then
    local ends = call('ZSCORE', P .. 'workers', worker)
    known = ends and clock < tonumber(ends) or false
    alive[worker] = known
  end
  return known
end

local function give_back(number, worker, change, due, failed, result)
  local run = P .. 'run:' .. number
  if failed ~= '' then call('HSET', run, 'failed', failed) end
  if result ~= '' then call('HSET', P .. 'steps:' .. number, 'result', result) end
  if change == '2' then
    wait(number, call('HGET', run, 'function'), change, due)
    left_due = left_due or tonumber(due) <= clock
  elseif change == '3' then
    call('HSET', run, 'status', change, 'worker', '')
  elseif change == 'x' then
    local event_id, event = forget(number)
    if event_id then
      write_event(event_id, event)
      call('ZADD', P .. 'idle', event.at, event_id)
    end
  else
    call('HSET', run, 'status', change, 'worker', '', 'ended', now)
    finish(number, now, ttl)
  end
  call('SREM', P .. 'held:' .. worker, number)
end

-- Whether a commit that is sent again had been written: the run is just as it leaves it, and nobody had it since.
local function was_written(number, token, change, due, failed, result, first, last)
  local run = call('HMGET', P .. 'run:' .. number, 'token', 'worker', 'status', 'due', 'failed')
  if change == 'x' then return not run[1] end
  local steps = P .. 'steps:' .. number
  local same = run[1] == token and run[2] == '' and run[3] == change
    and (due == '' or run[4] == due)
    and (failed == '' or run[5] == failed)
    and (result == '' or call('HGET', steps, 'result') == result)
  for place = first, last, 2 do
    same = same and call('HGET', steps, ARGV[place]) == ARGV[place + 1]
  end
  return same
end

local at = 6
for place = 1, tonumber(ARGV[5]) do
  local number, worker, token, change = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local due, failed, result
  at = at + 4
  if change ~= '' then
    due, failed, result = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    at = at + 3
  end
  local first, last = at + 1, at + 2 * tonumber(ARGV[at])
  at = last + 1
  local held = call('HMGET', P .. 'run:' .. number, 'worker', 'token')
  if held[1] == worker and held[2] == token and is_alive(worker) then
    if change ~= 'x' then
      for entry = first, last, 2 do
        call('HSET', P .. 'steps:' .. number, ARGV[entry], ARGV[entry + 1])
      end
    end
    if change ~= '' then give_back(number, worker, change, due, failed, result) end
    outcomes[place] = '1'
  elseif resent and change ~= '' and was_written(number, token, change, due, failed, result, first, last) then
    outcomes[place] = '1'
  else
    outcomes[place] = '0'
  end
end
if left_due then wake(sender) end
return table.concat(outcomes)
