-- The number of a run. Ids that were made here end with it; only those that others chose have a key.
local function find(id)
  local number = call('GET', P .. 'id:' .. id)
  if number then return number end
  local digits = string.match(id, '^%x+%-(%d+)$')
  if digits and call('HGET', P .. 'run:' .. digits, 'id') == id then return digits end
end
