-- The most runs of a function that nobody here can read and that stay in the common queue all the same.
local STAY = 100
-- Whether a session of an earlier version lives: it has no row in `wants`, and looks at no runs apart.
local function has_earlier(now)
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '(' .. now, '+inf')) do
    if call('HEXISTS', P .. 'wants', id) == 0 then return true end
  end
  return false
end
-- Brings runs back from a queue apart that are due, as far as there is room for them in the common one.
local function bring_back(name, fn, now)
  local room = STAY - call('ZCOUNT', P .. 'due:' .. fn, '-inf', now)
  if room <= 0 then return end
  local back = call('ZRANGEBYSCORE', P .. 'apart:' .. name, '-inf', now, 'WITHSCORES', 'LIMIT', 0, room)
  for place = 1, #back, 2 do
    call('ZADD', P .. 'due:' .. fn, back[place + 1], back[place])
    call('ZREM', P .. 'apart:' .. name, back[place])
    redis.pcall('HDEL', P .. 'run:' .. back[place], 'apart')
  end
end
