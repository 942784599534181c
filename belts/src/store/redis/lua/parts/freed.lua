-- Says that a lease with places has ended, by what the run's hash has of its lanes; whether anybody waits for one of them. `waiting:<lane>`
-- has the functions with lines that are parked there.
local function free_places(number, lanes)
  local is_awaited = false
  for lane in string.gmatch(lanes, '[^\30]+') do
    call('HDEL', P .. 'places:' .. lane, number)
    if call('EXISTS', P .. 'waiting:' .. lane) == 1 then
      call('SADD', P .. 'freed', lane)
      is_awaited = true
    end
  end
  return is_awaited
end
