-- The most runs that one call of a script releases: others wait meanwhile.
local MOST = 1000
local released = 0

-- Makes runs of a session due; false if there may be more of them, and the script must be called again. A claim counts it as a
-- crash where they were not given back.
local function release_runs(worker, due, has_crashed)
  local held = P .. 'held:' .. worker
  local runs = redis.pcall('SPOP', held, MOST)
  if runs.err then
    call('UNLINK', held)
    return true
  end
  for _, number in ipairs(runs) do
    local run = P .. 'run:' .. number
    local fn, lanes = unpack(redis.pcall('HMGET', run, 'function', 'lanes'))
    if type(fn) == 'string' then
      if lanes then
        include freed
        free_places(number, lanes)
      end
      call('HSET', run, 'status', '2', 'lease', '', 'due', due)
      if has_crashed then call('HSET', run, 'died', '1') end
      call('ZADD', P .. 'due:' .. fn, due, number)
    end
  end
  released = released + #runs
  return released < MOST
end

-- Tells other processes that runs were released. It is a hint: without the right to publish, their sweep finds them.
local function tell(sender)
  if released > 0 then redis.pcall('PUBLISH', P .. 'wake', sender) end
end
