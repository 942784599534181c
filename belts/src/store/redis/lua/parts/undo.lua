-- Whether a run goes on in place of its end, since it has something to undo and that end is not decided yet.
local function has_undo(number)
  local found = call('HMGET', P .. 'run:' .. number, 'undoable', 'undo')
  return found[1] and not found[2]
end
-- Lets it, with the status that it ends with once it is undone. Its time counts no more meanwhile.
local function begin_undo(number, status, fn, now)
  local key = P .. 'run:' .. number
  local seen, limits = call('HGET', P .. 'meta', 'seen'), call('HGET', key, 'limits')
  local due = seen and tonumber(seen) < tonumber(now) and seen or now
  call('HSET', key, 'undo', status, 'status', '2', 'lease', '', 'due', due, 'keeps', '1')
  call('ZADD', P .. 'due:' .. fn, due, number)
  call('SADD', P .. 'functions', fn)
  if limits then
    call('HSET', key, 'undo_limits', limits)
    call('HDEL', key, 'limits')
    call('ZREM', P .. 'times', number)
  end
end
-- Has the next end of a run be its last, whatever it has to undo.
local function end_undo(number)
  local key = P .. 'run:' .. number
  local limits = call('HGET', key, 'undo_limits')
  if limits then call('HSET', key, 'limits', limits) end
  call('HDEL', key, 'undo', 'undo_limits', 'undoable')
end
