include expire
include undo
-- Cancels a run that has not finished, or lets it be undone first, of these `status`, `lease`, `function` and `apart`. One that is skipped
-- was none of its function's runs, so nobody handles its end.
local function cancel(number, run, now, ttl, is_skipped)
  local undoes = not is_skipped and is_undone_first(number, '6', run[3])
  if not undoes then
    call('HSET', P .. 'run:' .. number, 'status', '6', 'lease', '', 'due', '', 'ended', now)
    call('ZADD', P .. 'finished', now, number)
  end
  call('ZREM', P .. 'due:' .. run[3], number)
  if run[4] then
    call('ZREM', P .. 'apart:' .. run[4], number)
    if call('EXISTS', P .. 'apart:' .. run[4]) == 0 then call('SREM', P .. 'apart', run[4]) end
    call('HDEL', P .. 'run:' .. number, 'apart')
  end
  if run[1] == '2' then call('ZREM', P .. 'parked:' .. run[3], number) end
  local found = call('HMGET', P .. 'run:' .. number, 'looks', 'limits', 'single', 'lanes')
  if found[2] then call('ZREM', P .. 'times', number) end
  if found[1] then
    include waits
    close_waits(number, run[3])
  end
  if run[1] == '3' then call('ZREM', P .. 'stopped:' .. run[3], number) end
  local worker = string.match(run[2], '^%d+')
  if worker then call('SREM', P .. 'held:' .. worker, number) end
  if worker and found[4] then
    include freed
    free_places(number, found[4])
  end
  if undoes then
    begin_undo(number, '6', run[3], now)
  elseif ttl ~= '' then
    expire(number, ttl)
  end
  if found[3] and not undoes then
    include single
    next_single(found[3], now)
  end
end
