include release
-- Ends a session and frees its name; false if that needs another call. What it wanted stands until it falls.
local function end_session(worker, now, has_crashed)
  if not release_runs(worker, now, has_crashed) then return false end
  local key = P .. 'worker:' .. worker
  local name = redis.pcall('HGET', key, 'name')
  if type(name) == 'string' and call('GET', P .. 'name:' .. name) == worker then call('DEL', P .. 'name:' .. name) end
  call('DEL', key)
  call('ZREM', P .. 'workers', worker)
  call('ZREM', P .. 'wanting', worker)
  return true
end
