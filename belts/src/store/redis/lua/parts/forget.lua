include event
-- Removes a run and its journal. Answers with the id of its event, and when that was published, if no run needs it more.
local function forget(number)
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event')
  call('ZREM', P .. 'runs', number)
  if not found[1] then return nil end
  call('UNLINK', run, P .. 'steps:' .. number, P .. 'id:' .. found[1])
  local event = read_event(found[2])
  if not event then return nil end
  local runs = string.gsub(event.runs, ',' .. number .. ',', ',', 1)
  call('SET', P .. 'event:' .. found[2], event.ticket .. ' ' .. event.at .. ' ' .. runs .. event.rest, 'KEEPTTL')
  if runs == ',' then return found[2], event.at end
end
