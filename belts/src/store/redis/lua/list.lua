-- Runs that pass a filter, newest first. Answers where to go on, or nothing at the end; and the runs.
-- ARGV: the number below which to look, the most runs, the most runs to look at, the statuses or nothing, whether there
-- is a function, the function, whether there is an event, the event, whether there is a time from which on, that time, whether
-- there is a time until which, that time, whether there is a run that started them, its id; whether there is a time at which they are due, that time; and the tags.
include common
include record
include parent
local below, most, looks, statuses = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local function of_event(id)
  local runs, numbers = string.match(head(id) or '', '^%d+ %-?%d+ ([%d,]*)'), {}
  for number in string.gmatch(runs or '', '%d+') do
    if tonumber(number) < tonumber(below) then table.insert(numbers, 1, number) end
  end
  return numbers
end

-- When a run ended, or its event was published if it goes on.
local function in_time(run)
  if ARGV[9] == '' and ARGV[11] == '' then return true end
  local time = tonumber(run[3] or string.match(head(run[4]) or '', '^%d+ (%-?%d+) '))
  return time and (ARGV[9] == '' or time >= tonumber(ARGV[10])) and (ARGV[11] == '' or time < tonumber(ARGV[12]))
end

local function has_tags(number)
  for place = 17, #ARGV do
    if not call('ZSCORE', P .. 'tag:' .. ARGV[place], number) then return false end
  end
  return true
end

local function passes(number)
  local run = redis.pcall('HMGET', P .. 'run:' .. number, 'status', 'function', 'ended', 'event', 'parent', 'due', 'undo', 'line', 'place', 'shift', 'lease')
  if run[7] then run[1] = '7' end
  -- One that stands in line was due all the same.
  if run[6] == '' and run[8] and run[9] and run[11] == '' and tonumber(run[1]) ~= 3 then
    run[6] = string.format('%.0f', tonumber(run[9]) + tonumber(run[10]))
  end
  return run[1] and run[4]
    and (statuses == '' or string.find(statuses, run[1], 1, true))
    and (ARGV[5] == '' or run[2] == ARGV[6])
    and (ARGV[13] == '' or parent_of(run[5]) == ARGV[14])
    and has_tags(number)
    and (ARGV[15] == '' or run[6] and run[6] ~= '' and tonumber(run[6]) <= tonumber(ARGV[16]))
    and in_time(run)
end

-- Of one function. They are few beside all that have ended, and stand in the order of their times.
local function due_of(fn)
  local numbers = {}
  for _, number in ipairs(call('ZRANGEBYSCORE', P .. 'due:' .. fn, '-inf', ARGV[16])) do
    if tonumber(number) < tonumber(below) then numbers[#numbers + 1] = number end
  end
  for _, line in ipairs(call('HKEYS', P .. 'state:' .. fn)) do
    for _, member in ipairs(call('ZRANGE', P .. 'line:' .. fn .. ':' .. line, '0', '-1')) do
      local number = string.match(member, '^0*(%d+)$')
      if tonumber(number) < tonumber(below) then numbers[#numbers + 1] = number end
    end
  end
  table.sort(numbers, function(one, other) return tonumber(one) > tonumber(other) end)
  return numbers
end

local numbers, goes_on
if ARGV[7] ~= '' then
  numbers = of_event(ARGV[8])
elseif ARGV[5] ~= '' and ARGV[15] ~= '' and ARGV[13] == '' and not ARGV[17] then
  numbers = due_of(ARGV[6])
else
  local index = P .. (ARGV[13] ~= '' and 'started:' .. ARGV[14] or ARGV[17] and 'tag:' .. ARGV[17] or 'runs')
  numbers = call('ZREVRANGEBYSCORE', index, '(' .. below, '-inf', 'LIMIT', 0, looks)
  goes_on = #numbers == looks and numbers[#numbers]
end
local found = {}
for place, number in ipairs(numbers) do
  found[#found + 1] = passes(number) and record(number, true) or nil
  if #found == most then
    goes_on = numbers[place + 1] and number or goes_on
    break
  end
end
return { goes_on or false, found }
