-- Puts a run into the queue of its function.
local function queue(number, fn, due)
  call('ZADD', P .. 'due:' .. fn, due, number)
  call('SADD', P .. 'functions', fn)
end

-- Takes a run from its worker, or from among the finished, and lets it wait until it is due.
local function wait(number, fn, status, due)
  call('HSET', P .. 'run:' .. number, 'status', status, 'worker', '', 'due', due)
  queue(number, fn, due)
end
