-- What stands before the payload of an event; nothing if it is gone.
local function head(id)
  local key, most = P .. 'event:' .. id, 4096
  local text = redis.pcall('GETRANGE', key, 0, most - 1)
  if type(text) ~= 'string' then return nil end
  local found = string.match(text, '^[^\n]*\n[^\n]*\n')
  if found or #text < most then return found end
  return string.match(call('GET', key), '^[^\n]*\n[^\n]*\n')
end
