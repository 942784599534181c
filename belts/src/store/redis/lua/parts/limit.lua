include times
-- The last moment that anybody can wait for.
local LAST = 253402207200000
-- Gives a run its times, of so many milliseconds each from `since` on.
local function give_time(number, since, start, finish, has_started)
  local function by(within) return within == '-' and within or string.format('%d', math.min(since + tonumber(within), LAST)) end
  local limits = string.format('%d ', since) .. by(start) .. ' ' .. by(finish)
  call('HSET', P .. 'run:' .. number, 'limits', limits)
  keep_time(number, limits, has_started)
end
-- Gives a new run its times, if its function has limits. They count from when it is due, and that is by the clock of the workers where it is
-- due at once, if they were heard of within a day.
local function limit(number, fn, due, now, seen, has_started)
  local start, finish = string.match(call('HGET', P .. 'limits', fn) or '', '^(%S+) (%S+)$')
  if not start then return end
  local clock, since, heard = tonumber(now), tonumber(due), tonumber(seen)
  if since <= clock then
    since = heard and heard < clock and clock - heard <= 86400000 and heard or clock
  end
  give_time(number, since, start, finish, has_started)
end
