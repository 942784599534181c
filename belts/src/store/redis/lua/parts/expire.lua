include event
-- Lets an event go by itself, unless one of its runs goes on. Without a time to live it goes with the last of its runs, if each
-- of them has one.
local function expire_event(id, ttl)
  if call('HEXISTS', P .. 'placed', id) == 1 then
    include placed
    spend(id)
    return
  end
  local event = read_event(id)
  if not event then return end
  local last = 0
  for other in string.gmatch(event.runs, '%d+') do
    local status = call('HGET', P .. 'run:' .. other, 'status')
    -- Those that are gone had finished.
    if status and tonumber(status) < 4 then return end
    if status and ttl == '' then
      local left = call('PTTL', P .. 'run:' .. other)
      if left < 0 then return end
      last = math.max(last, left)
    end
  end
  if ttl == '' then ttl = string.format('%d', last) end
  call('PEXPIRE', P .. 'event:' .. id, ttl)
end
-- Lets the keys of a finished run go by themselves, and its event with the last of its runs. What names them in indexes
-- is left to the purge.
local function expire(number, ttl)
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event', 'parent', 'joined')
  call('PEXPIRE', run, ttl)
  call('PEXPIRE', P .. 'steps:' .. number, ttl)
  call('PEXPIRE', P .. 'id:' .. found[1], ttl)
  if found[3] then
    -- When it is gone, nothing else says in which `started:<run id>` it stands.
    include parent
    call('HSET', P .. 'kin', number, (parent_of(found[3])))
  end
  if found[4] then
    for _, member in ipairs(call('LRANGE', P .. 'joined:' .. number, '0', '-1')) do
      expire_event(string.match(member, '^%d+ (.*)$'), ttl)
    end
    call('PEXPIRE', P .. 'joined:' .. number, ttl)
  end
  expire_event(found[2], ttl)
end
