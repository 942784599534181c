include event
-- Removes a run and its journal. Answers with the id of its event, when that was published, and whether any of its runs is left; and the
-- id of a run that another one has started.
local function forget(number)
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event', 'looks', 'function', 'parent', 'joined')
  call('ZREM', P .. 'runs', number)
  local tags = call('HGET', P .. 'tagged', number)
  if tags then
    for _, tag in ipairs(cjson.decode(tags)) do call('ZREM', P .. 'tag:' .. tag, number) end
    call('HDEL', P .. 'tagged', number)
  end
  if not found[1] then return nil end
  if found[3] then
    include waits
    close_waits(number, found[4])
    call('ZREM', P .. 'parked:' .. found[4], number)
  end
  if found[5] then
    include parent
    call('ZREM', P .. 'started:' .. (parent_of(found[5]) or ''), number)
    call('HDEL', P .. 'kin', number)
  end
  local joined = found[6] and call('LRANGE', P .. 'joined:' .. number, '0', '-1') or {}
  call('UNLINK', run, P .. 'steps:' .. number, P .. 'id:' .. found[1])
  -- Those that were its events too are needed by nobody, if nothing else has started with them.
  for _, member in ipairs(joined) do
    local id = string.match(member, '^%d+ (.*)$')
    local other, left = read_event(id), false
    for of in string.gmatch(other and other.runs or '', '%d+') do left = left or call('EXISTS', P .. 'run:' .. of) == 1 end
    if other and not left then
      local first = string.match(other.runs, '%d+') or number
      call('SET', P .. 'event:' .. id, other.ticket .. ' ' .. other.at .. ' , ' .. first .. other.rest, 'KEEPTTL')
      if call('HEXISTS', P .. 'placed', id) == 0 then
        call('ZADD', P .. 'idle', other.at, id)
      else
        include placed
        spend(id)
      end
    end
  end
  if found[6] then call('UNLINK', P .. 'joined:' .. number) end
  local event = read_event(found[2])
  local started = found[5] and found[1]
  if not event then return nil, nil, nil, started end
  local runs = ','
  for other in string.gmatch(event.runs, '%d+') do
    -- Others may have gone by themselves.
    if call('EXISTS', P .. 'run:' .. other) == 1 then runs = runs .. other .. ',' end
  end
  local is_needed = runs ~= ','
  -- It keeps its number without its runs.
  if not is_needed and string.sub(event.rest, 1, 1) == '\n' then runs = ', ' .. (string.match(event.runs, '%d+') or '') end
  call('SET', P .. 'event:' .. found[2], event.ticket .. ' ' .. event.at .. ' ' .. runs .. event.rest, 'KEEPTTL')
  return found[2], event.at, is_needed, started
end
