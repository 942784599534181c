-- The most runs that one call of a script releases: others wait meanwhile.
local MOST = 1000
local released = 0

-- Makes runs of a session due; false if there may be more of them, and the script must be called again.
local function release_runs(worker, due)
  local runs = call('SPOP', P .. 'held:' .. worker, MOST)
  for _, number in ipairs(runs) do
    local fn = call('HGET', P .. 'run:' .. number, 'function')
    if fn then wait(number, fn, '2', due) end
  end
  released = released + #runs
  return released < MOST
end

-- Ends a session and frees its name; false as above.
local function end_session(worker, now)
  if not release_runs(worker, now) then return false end
  local key = P .. 'worker:' .. worker
  local name = call('HGET', key, 'name')
  if name and call('GET', P .. 'name:' .. name) == worker then call('DEL', P .. 'name:' .. name) end
  call('DEL', key)
  call('ZREM', P .. 'workers', worker)
  return true
end
