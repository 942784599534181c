include cancel
include ended
include parent
-- Does what the end of a run asks for: tells it if another one has started the run, and cancels those that end with it, of which each
-- is an end too. Says whether anybody is to be woken.
local function end_family(number, now, ttl)
  local ends, at, wakes = { number }, 1, false
  while ends[at] do
    local run = call('HMGET', P .. 'run:' .. ends[at], 'id', 'status', 'parent', 'starts')
    -- One that is undone first has not ended.
    local is_over = tonumber(run[2] or '0') >= 4
    local started = P .. 'started:' .. (run[1] or '')
    if run[3] and is_over then wakes = tell_end(ends[at], run[1], run[2], now, ttl) or wakes end
    for _, child in ipairs(run[4] and run[2] ~= '4' and call('ZRANGE', started, '0', '-1') or {}) do
      local other = redis.pcall('HMGET', P .. 'run:' .. child, 'status', 'lease', 'function', 'apart', 'parent', 'undo')
      local _, is_attached = parent_of(other[5])
      if not other.err and not other[1] then
        -- An earlier version removed it.
        call('ZREM', started, child)
      elseif not other[6] and is_attached and other[2] and other[3] and tonumber(other[1]) < 4 then
        -- Keys of one that somebody spoiled keep the others from nothing.
        pcall(cancel, child, other, now, ttl)
        ends[#ends + 1], wakes = child, true
      end
    end
    at = at + 1
  end
  return wakes
end
