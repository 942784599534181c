-- Fenced writes of workers. Answers a digit for each commit: 1 where it was written, 0 where the lease is no more.
-- ARGV: now, whether this is sent again, time to live of finished runs, sender or nothing, count of commits; for each
-- commit its run, worker, lease and change; where there is a change, its due, failed and result; count of entries, seq and
-- entry of each. A change is the new status, or "x" to remove the run.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
local now, ttl, outcomes, left_due, at = ARGV[1], ARGV[3], '', false, 6
for _ = 1, tonumber(ARGV[5]) do
  local number, worker, lease, change = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local due, failed, result = '', '', ''
  at = at + 4
  if change ~= '' then
    due, failed, result = ARGV[at], ARGV[at + 1], ARGV[at + 2]
    at = at + 3
  end
  local first, last = at + 1, at + 2 * tonumber(ARGV[at])
  at = last + 1
  local run, steps = P .. 'run:' .. number, P .. 'steps:' .. number
  local outcome = '0'
  if call('HGET', run, 'lease') == lease then outcome = '1' end

  if outcome == '1' and change == 'x' then
    include forget
    local event_id, published_at, is_needed = forget(number)
    if event_id and (ttl ~= '' or is_needed) then
      include expire
      expire_event(event_id, ttl)
    elseif event_id then
      call('ZADD', P .. 'idle', published_at, event_id)
    end
    call('SREM', P .. 'held:' .. worker, number)
  elseif outcome == '1' then
    include write
    for place = first, last, 2 do write(steps, ARGV[place], ARGV[place + 1]) end
    if result ~= '' then call('HSET', steps, 'result', result) end
    if failed ~= '' then call('HSET', run, 'failed', failed) end
    if change == '2' then
      local fn = call('HGET', run, 'function')
      call('HSET', run, 'status', change, 'lease', '', 'due', due)
      call('ZADD', P .. 'due:' .. fn, due, number)
      left_due = left_due or tonumber(due) <= tonumber(now)
    elseif change == '3' then
      call('HSET', run, 'status', change, 'lease', '')
      call('ZADD', P .. 'stopped:' .. call('HGET', run, 'function'), number, number)
    elseif change ~= '' then
      call('HSET', run, 'status', change, 'lease', '', 'ended', now)
      call('ZADD', P .. 'finished', now, number)
      if ttl ~= '' then
        include expire
        expire(number, ttl)
      end
    end
    if change ~= '' then call('SREM', P .. 'held:' .. worker, number) end
  elseif ARGV[2] ~= '' and change ~= '' then
    -- It is sent again, and was written before if the run is just as it leaves it and nobody had it since.
    local is = call('HMGET', run, 'lease', 'token', 'status', 'due', 'failed')
    local same = is[1] == '' and is[2] == string.match(lease, '%d+$') and is[3] == change
      and (due == '' or is[4] == due) and (failed == '' or is[5] == failed)
      and (result == '' or call('HGET', steps, 'result') == result)
    for place = first, last, 2 do
      same = same and call('HGET', steps, ARGV[place]) == ARGV[place + 1]
    end
    if same or change == 'x' and not is[1] then outcome = '1' end
  end
  outcomes = outcomes .. outcome
end
if left_due and ARGV[4] ~= '' then redis.pcall('PUBLISH', P .. 'wake', ARGV[4]) end
return outcomes
