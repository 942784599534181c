-- Runs on which a worker came that cannot read the type of their event wait apart, in a queue of the function and the type, so that
-- nobody looks at them in vain again. Those who can read them look there too. The set `apart` names these queues.
local function apart_name(fn, event_type) return string.format('%d ', #fn) .. fn .. event_type end
local function of_apart(name)
  local length, rest = string.match(name, '^(%d+) (.*)$')
  length = tonumber(length or 0)
  return string.sub(rest or '', 1, length), string.sub(rest or '', length + 1)
end
local function put_apart(number, fn, event_type, due)
  local name = apart_name(fn, event_type)
  call('SADD', P .. 'apart', name)
  call('ZADD', P .. 'apart:' .. name, due, number)
  call('HSET', P .. 'run:' .. number, 'apart', name)
  call('ZREM', P .. 'due:' .. fn, number)
end
