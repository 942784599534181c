-- Takes a run from its worker, or from among the finished, and lets it wait until it is due.
local function wait(number, fn, status, due)
  call('HSET', P .. 'run:' .. number, 'status', status, 'lease', '', 'due', due)
  call('ZADD', P .. 'due:' .. fn, due, number)
end
