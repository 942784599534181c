-- Whether no run of an event is alive; those that are gone had finished.
local function is_over(event)
  for number in string.gmatch(event.runs, '%d+') do
    local status = call('HGET', P .. 'run:' .. number, 'status')
    if status and tonumber(status) < 4 then return false end
  end
  return true
end

-- Puts a run among the finished, once its hash says so. With a time to live its keys go by themselves, and its event
-- with the last of its runs; what names them in indexes is left to the purge.
local function finish(number, now, ttl)
  call('ZADD', P .. 'finished', now, number)
  if ttl == '' then return end
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event')
  local event = read_event(found[2])
  call('PEXPIRE', run, ttl)
  call('PEXPIRE', P .. 'steps:' .. number, ttl)
  call('PEXPIRE', P .. 'id:' .. found[1], ttl)
  if event and is_over(event) then call('PEXPIRE', P .. 'event:' .. found[2], ttl) end
end
