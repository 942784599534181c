-- Holds a message back. What is cut off the time is added, so that it never comes too early.
local function later(id, arrivals, group, body, delay)
  local member = id .. ' ' .. arrivals .. ' ' .. group
  call('HSET', bodies, member, body)
  call('ZADD', delayed, now + 1 + delay, member)
end
