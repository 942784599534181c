include wait
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

-- Tells other processes that runs were released. It is a hint: without the right to publish, their sweep finds them.
local function tell(sender)
  if released > 0 then redis.pcall('PUBLISH', P .. 'wake', sender) end
end
