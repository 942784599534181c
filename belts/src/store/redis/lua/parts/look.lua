include waits
include payload
-- The most events of one wait.
local MOST_ARRIVALS = 16
-- The earliest events of a lane behind a place, and one more.
local function read_log(lane, after)
  while true do
    local found, is_whole = {}, true
    local log = call('ZRANGEBYSCORE', P .. 'log:' .. lane, string.format('(%d', after), '+inf', 'WITHSCORES', 'LIMIT', '0',
      MOST_ARRIVALS + 1)
    for nth = 1, #log, 2 do
      if call('EXISTS', P .. 'event:' .. log[nth]) == 1 then
        found[#found + 1] = { id = log[nth], place = log[nth + 1] }
      else
        -- An earlier version removed it.
        call('ZREM', P .. 'log:' .. lane, log[nth])
        call('HDEL', P .. 'placed', log[nth])
        is_whole = false
      end
    end
    if is_whole then return found end
  end
end
-- The earliest events behind the places of a wait. The one that started the run is none of them.
local function behind(wait, event_id)
  local found = {}
  for place, event_type in ipairs(wait.t) do
    local after = type(wait.c[place]) == 'number' and wait.c[place] or 0
    for _, one in ipairs(read_log(lane_of(event_type, wait.k), after)) do
      if one.id ~= event_id then found[#found + 1] = one end
    end
  end
  table.sort(found, function(a, b) return tonumber(a.place) < tonumber(b.place) end)
  return found
end
-- What has arrived for the waits of a run, by `seq`, then by place; and the bytes of the first of each, which are read.
local function look_for(number, event_id, waits)
  local seqs, found, bytes = {}, {}, 0
  for seq in string.gmatch(waits, '%d+') do seqs[#seqs + 1] = seq end
  table.sort(seqs, function(a, b) return tonumber(a) < tonumber(b) end)
  for _, seq in ipairs(seqs) do
    local wait, is_first, count = read_wait(redis.pcall('HGET', P .. 'steps:' .. number, seq)), true, 0
    for _, one in ipairs(wait and behind(wait, event_id) or {}) do
      if count == MOST_ARRIVALS then break end
      one.seq, one.is_first, count = seq, is_first, count + 1
      if is_first then one.text = read_text(one.id) end
      if one.text then
        is_first = false
        bytes = bytes + payload_of(one.text)
      end
      if not is_first then found[#found + 1] = one end
    end
  end
  return found, bytes
end
-- Whether anything has arrived for the waits of a run.
local function has_arrived(number, event_id, waits)
  for seq in string.gmatch(waits, '%d+') do
    local wait = read_wait(call('HGET', P .. 'steps:' .. number, seq))
    if wait and #behind(wait, event_id) > 0 then return true end
  end
  return false
end
