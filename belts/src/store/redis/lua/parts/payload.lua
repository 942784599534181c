-- The length of the payload of an event.
local function payload_of(text)
  local _, stop = string.find(text, '^[^\n]*\n[^\n]*\n')
  return #text - (stop or 0)
end
local function read_text(id)
  local text = redis.pcall('GET', P .. 'event:' .. id)
  return type(text) == 'string' and text or nil
end
