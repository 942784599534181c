include event
-- Lets the keys of a finished run go by themselves, and its event with the last of its runs. What names them in indexes
-- is left to the purge.
local function expire(number, ttl)
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event')
  call('PEXPIRE', run, ttl)
  call('PEXPIRE', P .. 'steps:' .. number, ttl)
  call('PEXPIRE', P .. 'id:' .. found[1], ttl)
  local event = read_event(found[2])
  if not event then return end
  for other in string.gmatch(event.runs, '%d+') do
    local status = call('HGET', P .. 'run:' .. other, 'status')
    -- Those that are gone had finished.
    if status and tonumber(status) < 4 then return end
  end
  call('PEXPIRE', P .. 'event:' .. found[2], ttl)
end
