-- Moves what is due to the stream, and tells in how many milliseconds more will be; empty if there is no more. A full
-- server takes nothing, and what is in the stream is received meanwhile.
local function move_due()
  for _, member in ipairs(call('ZRANGE', delayed, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do
    local body = call('HGET', bodies, member)
    local id, arrivals, group = member:match('^(%S+) (%d+) (.*)$')
    if body and id then
      local moved = redis.pcall('XADD', stream, '*', 'body', body, 'belts:id', id, 'belts:arrivals', arrivals, 'belts:group', group)
      if type(moved) == 'table' and moved.err then return 1000 end
    end
    call('ZREM', delayed, member)
    call('HDEL', bodies, member)
  end
  local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  return first[2] and math.max(first[2] - now, 0) or ''
end
