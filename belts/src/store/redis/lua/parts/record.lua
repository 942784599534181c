include head
-- What inspection shows of a run; nothing if it is gone. In a list it comes without values, but for a short failure.
local function record(number, is_listed)
  local key = P .. 'run:' .. number
  local run = redis.pcall('HMGET', key, 'id', 'function', 'event', 'status', 'failed', 'started', 'ended', 'due', 'aside', 'notes',
    'parent', 'limits', 'undo', 'build', 'flow', 'line', 'place', 'shift', 'lease')
  if not run[1] or not run[2] or not run[3] then return nil end
  -- One that stands in line is due.
  if run[8] == '' and run[16] and run[17] and run[19] == '' and tonumber(run[4]) < 4 then
    run[8] = string.format('%.0f', tonumber(run[17]) + tonumber(run[18]))
  end
  run[18], run[19] = nil, nil
  -- 7 says that it is undone first.
  if run[13] then run[4] = '7' end
  local build, flow, aside, notes, parent, limits, steps, event = run[14], run[15], run[9], run[10], run[11], run[12], P .. 'steps:' .. number, nil
  if is_listed then
    event = head(run[3])
    if not aside and run[4] ~= '4' then
      local size = redis.pcall('HSTRLEN', steps, 'result')
      if type(size) == 'number' and size > 0 and size <= 16384 then aside = call('HGET', steps, 'result') end
    end
  else
    event = redis.pcall('GET', P .. 'event:' .. run[3])
    aside = aside or redis.pcall('HGET', steps, 'result')
  end
  run[9] = type(aside) == 'string' and aside
  run[10] = type(event) == 'string' and event
  run[11], run[12], run[13], run[14] = number, notes, parent, limits
  run[15], run[16], run[17] = call('HGET', P .. 'tagged', number), build, flow
  return run
end
