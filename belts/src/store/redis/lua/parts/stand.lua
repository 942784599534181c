-- Gives a run the lanes of its flow, unless it has some; whether its lease has ended by that.
local function stand(number, lanes, now, is_leased)
  local key = P .. 'run:' .. number
  local run = read_flowing(number)
  if not run or call('HEXISTS', key, 'shift') == 1 then return false end
  local a, b = type(lanes.a) == 'string' and lanes.a or '', type(lanes.b) == 'string' and lanes.b or ''
  call('HSET', key, 'shift', digits(lanes.shift))
  if a ~= '' then call('HSET', key, 'lanes', b ~= '' and a .. '\30' .. b or a) end
  if not is_leased or run.lease == '' then return false end
  step_out(number, run)
  local has_begun = false
  for _, seq in ipairs(call('HKEYS', P .. 'steps:' .. number)) do has_begun = has_begun or seq ~= 'result' end
  call('HSET', key, 'status', has_begun and '2' or '0', 'lease', '', 'due', now)
  call('HDEL', key, 'keeps')
  if not has_begun then call('HDEL', key, 'started') end
  call('ZADD', P .. 'due:' .. run.fn, now, number)
  call('SADD', P .. 'functions', run.fn)
  local limits = call('HGET', key, 'limits')
  if limits then keep_time(number, limits, has_begun) end
  return true
end
