-- A run whose time is limited has a field `limits`: since when that is counted, by when it must have been claimed, and by when it must have
-- ended, "-" where it need not. Answers when its time is over, if it ever is.
local function over_at(limits, has_started)
  local start, finish = string.match(limits, '^%S+ (%S+) (%S+)$')
  start, finish = not has_started and tonumber(start), tonumber(finish)
  return start and (not finish or start < finish) and start or finish
end
-- `times` has the runs that have not finished, by when their time is over.
local function keep_time(number, limits, has_started)
  local over = over_at(limits, has_started)
  if over then
    call('ZADD', P .. 'times', string.format('%d', over), number)
  else
    call('ZREM', P .. 'times', number)
  end
end
