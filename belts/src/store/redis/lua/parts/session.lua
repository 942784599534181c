include release
-- Ends a session and frees its name; false if that needs another call.
local function end_session(worker, now)
  if not release_runs(worker, now) then return false end
  local key = P .. 'worker:' .. worker
  local name = call('HGET', key, 'name')
  if name and call('GET', P .. 'name:' .. name) == worker then call('DEL', P .. 'name:' .. name) end
  call('DEL', key)
  call('ZREM', P .. 'workers', worker)
  return true
end
