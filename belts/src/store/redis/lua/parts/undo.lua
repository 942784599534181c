-- Whether a run goes on in place of this end, since it has something to undo or its cancel is handled, and that end is not decided yet.
local function goes_on_as(status, fn, undoable, undo)
  return not undo and (undoable or status == '6' and call('HEXISTS', P .. 'cancel_handled', fn) == 1)
end
local function is_undone_first(number, status, fn)
  local found = call('HMGET', P .. 'run:' .. number, 'undoable', 'undo')
  return goes_on_as(status, fn, found[1], found[2])
end
-- Lets it, with the status that it ends with once it is undone. Its time counts no more meanwhile.
local function begin_undo(number, status, fn, now)
  local key = P .. 'run:' .. number
  local seen, limits = call('HGET', P .. 'meta', 'seen'), call('HGET', key, 'limits')
  local due = seen and tonumber(seen) < tonumber(now) and seen or now
  call('HSET', key, 'undo', status, 'status', '2', 'lease', '', 'due', due, 'keeps', '1')
  call('ZADD', P .. 'due:' .. fn, due, number)
  call('SADD', P .. 'functions', fn)
  -- Until it ends it counts as started, so that it collects no more events.
  if call('HSETNX', key, 'started', now) == 1 then call('HSET', key, 'unstarted', '1') end
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
  if call('HDEL', key, 'unstarted') == 1 then call('HDEL', key, 'started') end
  call('HDEL', key, 'undo', 'undo_limits', 'undoable')
end
