include apart
-- The runs that workers drive, by function. There are only as many as workers have room for.
local function driven_runs()
  local driven = {}
  for _, worker in ipairs(call('ZRANGE', P .. 'workers', 0, -1)) do
    local held = redis.pcall('SMEMBERS', P .. 'held:' .. worker)
    for _, number in ipairs(held) do
      local fn = redis.pcall('HGET', P .. 'run:' .. number, 'function')
      if type(fn) == 'string' then
        driven[fn] = driven[fn] or {}
        table.insert(driven[fn], number)
      end
    end
  end
  return driven
end
-- The unfinished runs of a function, no more than `most`.
local function unfinished_runs(fn, driven, most)
  local found = {}
  local function add(numbers)
    for _, number in ipairs(numbers) do
      if #found < most then found[#found + 1] = number end
    end
  end
  if most <= 0 then return found end
  add(driven[fn] or {})
  add(call('ZRANGE', P .. 'due:' .. fn, 0, most - 1))
  for _, name in ipairs(call('SMEMBERS', P .. 'apart')) do
    if of_apart(name) == fn then add(call('ZRANGE', P .. 'apart:' .. name, 0, most - 1)) end
  end
  if call('SISMEMBER', P .. 'lined', fn) == 1 then
    include lines
    for _, line in ipairs(call('HKEYS', P .. 'state:' .. fn)) do
      for _, member in ipairs(call('ZRANGE', P .. 'line:' .. fn .. ':' .. line, 0, most - 1)) do
        local number = number_of(member)
        if is_in(number, line) then add({ number }) end
      end
      if #found >= most then break end
    end
  end
  for _, number in ipairs(call('ZRANGE', P .. 'parked:' .. fn, 0, most - 1)) do
    -- An earlier version leaves it here when somebody asks for it by name.
    local run = redis.pcall('HMGET', P .. 'run:' .. number, 'status', 'due')
    if run[1] == '2' and (run[2] or '') == '' then
      add({ number })
    else
      call('ZREM', P .. 'parked:' .. fn, number)
    end
  end
  for _, number in ipairs(call('ZRANGE', P .. 'stopped:' .. fn, 0, most - 1)) do
    if call('HGET', P .. 'run:' .. number, 'status') == '3' then
      add({ number })
    else
      call('ZREM', P .. 'stopped:' .. fn, number)
    end
  end
  return found
end
