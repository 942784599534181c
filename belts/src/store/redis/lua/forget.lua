-- Cancels the unfinished runs of a function that no living session has, ends silent ones that have it, and drops what was wanted
-- for it and ends its pause and its limits.
-- Answers how many, and whether there are more; or "living". ARGV: now, sender, time to live of finished runs, function, the most runs.
include common
include living
include session
include unfinished
include settle
include family
local now, fn, most = ARGV[1], ARGV[4], tonumber(ARGV[5])
if living_functions(now)[fn] then return 'living' end

local rows = call('HGETALL', P .. 'wants')
for place = 1, #rows, 2 do
  local is_json, functions = pcall(cjson.decode, rows[place + 1])
  if is_json and type(functions) == 'table' and functions[fn] then
    -- Whoever comes back registers again, and wants it again. Row 0 is of sessions of an earlier version.
    if rows[place] ~= '0' and call('ZSCORE', P .. 'wanting', rows[place]) and not end_session(rows[place], now, true) then
      tell(ARGV[2])
      return { 0, 1 }
    end
    functions[fn] = nil
    call('HSET', P .. 'wants', rows[place], cjson.encode(functions))
    local awaits = call('HGET', P .. 'awaits', rows[place])
    local is_table, awaited = pcall(cjson.decode, awaits or 'null')
    if is_table and type(awaited) == 'table' and awaited[fn] then
      awaited[fn] = nil
      call('HSET', P .. 'awaits', rows[place], cjson.encode(awaited))
    end
  end
end
settle(now)
call('HDEL', P .. 'paused', fn)
call('HDEL', P .. 'limits', fn)
call('HDEL', P .. 'cancel_handled', fn)
include limited
note_limited()
if call('EXISTS', P .. 'awaited') == 1 then
  include awaits
  settle_awaits(now)
end
tell(ARGV[2])

local count = 0
local found = unfinished_runs(fn, driven_runs(), most + 1)
for place = 1, math.min(#found, most) do
  local run = call('HMGET', P .. 'run:' .. found[place], 'status', 'lease', 'function', 'apart', 'parent', 'starts')
  if run[1] and run[2] and run[3] then
    -- Nobody has its code, to undo anything.
    end_undo(found[place])
    cancel(found[place], run, now, ARGV[3])
    -- It may have ended with one of the others just now.
    if (run[5] or run[6]) and tonumber(run[1]) < 4 then end_family(found[place], now, ARGV[3]) end
  else
    call('ZREM', P .. 'due:' .. fn, found[place])
  end
  count = count + 1
end
if #found <= most then call('SREM', P .. 'functions', fn) end
if count > 0 then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return { count, #found > most and 1 or 0 }
