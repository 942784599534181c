-- What inspection shows of a run; nothing if it is gone.
local function record(number)
  local run = call('HMGET', P .. 'run:' .. number, 'id', 'function', 'event', 'status', 'failed', 'started', 'ended', 'due')
  local event = run[1] and call('GET', P .. 'event:' .. run[3])
  if not event then return nil end
  run[9] = call('HGET', P .. 'steps:' .. number, 'result')
  run[10] = event
  run[11] = number
  return run
end
