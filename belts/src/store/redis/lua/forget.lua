-- Removes a run and its journal; answers with its event, if no other run needs that.
local function forget(number)
  local run = P .. 'run:' .. number
  local found = call('HMGET', run, 'id', 'event')
  local id, event_id = found[1], found[2]
  call('ZREM', P .. 'runs', number)
  if not id then return nil end
  call('UNLINK', run, P .. 'steps:' .. number, P .. 'id:' .. id)
  local event = read_event(event_id)
  if not event then return nil end
  event.runs = string.gsub(event.runs, ',' .. number .. ',', ',', 1)
  if event.runs == ',' then return event_id, event end
  write_event(event_id, event)
end
