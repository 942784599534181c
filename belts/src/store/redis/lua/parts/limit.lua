include times
-- The last moment that anybody can wait for.
local LAST = 253402207200000
-- Gives a run its times, of so many milliseconds each from `since` on.
local function give_time(number, since, start, finish, has_started)
  since = math.min(since, LAST)
  local function by(within) return within == '-' and within or string.format('%d', math.min(since + tonumber(within), LAST)) end
  local limits = string.format('%d ', since) .. by(start) .. ' ' .. by(finish)
  call('HSET', P .. 'run:' .. number, 'limits', limits)
  keep_time(number, limits, has_started)
end
-- Gives a new run its times, if its function has limits. They count from when it is due, from its publish, or from when a worker was
-- heard of within a day, whichever is latest: a clock that is wrong gives too much time and never too little.
local function limit(number, fn, due, now, seen, has_started)
  local start, finish = string.match(call('HGET', P .. 'limits', fn) or '', '^(%S+) (%S+)$')
  if not start then return end
  local since, heard = math.max(tonumber(due), tonumber(now)), tonumber(seen)
  if heard and heard > since and heard - since <= 86400000 then since = heard end
  give_time(number, since, start, finish, has_started)
end
