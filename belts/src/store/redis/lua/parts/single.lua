-- Lets the next run of a singleton go on, once none of it is left before it; whether one does. `single:<id>` has its runs that have not
-- ended, and some that have.
local function next_single(single, now)
  local line = P .. 'single:' .. single
  while true do
    local first = call('ZRANGE', line, '0', '0')[1]
    if not first then return false end
    local key = P .. 'run:' .. first
    local run = redis.pcall('HMGET', key, 'status', 'flow', 'due', 'lease', 'function', 'started')
    if run[1] and tonumber(run[1]) < 4 then
      if run[2] ~= 'queues' or run[3] ~= '' or run[4] ~= '' or run[6] then return false end
      call('HSET', key, 'due', now)
      call('ZREM', P .. 'parked:' .. run[5], first)
      call('ZADD', P .. 'due:' .. run[5], now, first)
      return true
    end
    call('ZREM', line, first)
  end
end
