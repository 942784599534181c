include show
include told
local WORDS = { ['4'] = 'completed', ['5'] = 'failed', ['6'] = 'cancelled' }
local function remove_told(event)
  local row = read_placed(event)
  if row then
    remove_placed(event, row)
  else
    call('ZREM', P .. 'idle', event)
    call('UNLINK', P .. 'event:' .. event)
  end
end
-- Takes back what was told of the end of a run.
local function untell(id)
  local told = call('GET', P .. 'told:' .. id)
  if not told then return end
  call('UNLINK', P .. 'told:' .. id)
  remove_told(told_as(id, told))
end
local function ended_as(word, result) return '{"status":"' .. word .. '","result":' .. result .. '}' end
-- Tells something of the end of a run, in place of what was told before; whether somebody waits for it.
local function tell_of(id, said, now, ttl)
  local told, event
  local text = '{"t":"' .. ENDED .. '","c":' .. cjson.encode(id) .. '}\n' .. said
  repeat
    told = string.format('%d', call('HINCRBY', P .. 'meta', 'run', '1'))
    event = told_as(id, told)
  until call('SETNX', P .. 'event:' .. event, '0 ' .. now .. ' , ' .. told .. '\n' .. text) == 1
  local before = call('GETSET', P .. 'told:' .. id, told)
  if before then remove_told(told_as(id, before)) end
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
-- Tells the end of a run that another one has started. Without a status it is skipped.
local function tell_end(number, id, status, now, ttl)
  local result = status and (call('HGET', P .. 'run:' .. number, 'aside') or redis.pcall('HGET', P .. 'steps:' .. number, 'result'))
  return tell_of(id, ended_as(WORDS[status] or 'skipped', type(result) == 'string' and result or 'null'), now, ttl)
end
