include show
local ENDED, WORDS = 'belts.ended', { ['4'] = 'completed', ['5'] = 'failed', ['6'] = 'cancelled' }
-- The event that tells of the end of a run: the field `told` has its number.
local function told_as(id, told) return ENDED .. ':' .. id .. ':' .. told end
-- Takes back what was told of the end of a run.
local function untell(id, told)
  local event = told_as(id, told)
  local row = read_placed(event)
  if row then
    remove_placed(event, row)
  else
    call('ZREM', P .. 'idle', event)
    call('UNLINK', P .. 'event:' .. event)
  end
end
-- Tells the end of a run that another one has started, in place of what was told before; whether somebody waits for it. Without a
-- status it is skipped.
local function tell_end(number, id, status, now, ttl)
  local run, told, event = P .. 'run:' .. number, nil, nil
  local before = call('HMGET', run, 'told', 'aside')
  if before[1] then untell(id, before[1]) end
  local result = status and (before[2] or redis.pcall('HGET', P .. 'steps:' .. number, 'result'))
  local text = '{"t":"' .. ENDED .. '","c":' .. cjson.encode(id) .. '}\n{"status":"' .. (WORDS[status] or 'skipped')
    .. '","result":' .. (type(result) == 'string' and result or 'null') .. '}'
  repeat
    told = string.format('%d', call('HINCRBY', P .. 'meta', 'run', '1'))
    event = told_as(id, told)
  until call('SETNX', P .. 'event:' .. event, '0 ' .. now .. ' , ' .. told .. '\n' .. text) == 1
  if status then call('HSET', run, 'told', told) end
  local meta = call('HMGET', P .. 'meta', 'seen', 'awaits')
  if meta[2] and call('HEXISTS', P .. 'awaited', ENDED) == 1 then
    local is_awaited = show_at_once(event, told, now, lane_of(ENDED, id), meta[1])
    spend(event)
    return is_awaited
  end
  call('ZADD', P .. 'idle', now, event)
  if ttl ~= '' then call('PEXPIRE', P .. 'event:' .. event, ttl) end
  return false
end
