-- Takes note of a worker's clock. If it was set back, what was due stays due; false if that needs another call. The clocks of
-- machines differ by some seconds: that ends no delay early.
local function hear_of(now)
  local seen, clock, left = call('HGET', P .. 'meta', 'seen'), tonumber(now), 1000
  if seen == now then return true end
  local function keep_due(queue)
    for _, number in ipairs(call('ZRANGEBYSCORE', queue, '(' .. now, seen, 'LIMIT', 0, left)) do
      left = left - 1
      if call('EXISTS', P .. 'run:' .. number) == 1 then
        redis.pcall('HSET', P .. 'run:' .. number, 'due', now)
        call('ZADD', queue, now, number)
      else
        call('ZREM', queue, number)
      end
    end
    return left > 0
  end
  if clock + 10000 < (tonumber(seen) or clock) then
    if call('EXISTS', P .. 'delayed') == 1 then
      include show
      local _, more = show_due(seen, now)
      if more then return false end
    end
    for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do
      if not keep_due(P .. 'due:' .. fn) then return false end
    end
    for _, name in ipairs(call('SMEMBERS', P .. 'apart')) do
      if not keep_due(P .. 'apart:' .. name) then return false end
    end
  end
  call('HSET', P .. 'meta', 'seen', now)
  return true
end
