-- An event is one string: "<ticket> <published at> ,<run>,<run>,", a line end, and what only clients read. Its number is that of its
-- first run; without runs it has one too, behind a space.
local function read_event(id)
  local value = call('GET', P .. 'event:' .. id)
  if not value then return nil end
  local ticket, at, runs, rest = string.match(value, '^(%d+) (%-?%d+) ([%d,]*)(.*)$')
  return { ticket = ticket, at = at, runs = runs, rest = rest }
end
