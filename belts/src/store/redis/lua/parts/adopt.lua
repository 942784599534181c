include find
include parent
-- Gives a new run its parent. `started:<run id>` has the numbers of those that a run has started, and that run a field that says so.
local function adopt(number, parent)
  local id = parent_of(parent)
  call('HSET', P .. 'run:' .. number, 'parent', parent)
  call('ZADD', P .. 'started:' .. id, number, number)
  local of = find(id)
  if of then call('HSET', P .. 'run:' .. of, 'starts', '1') end
end
