-- The attempts of an entry, which begins with its state and a line of JSON.
local function attempts(of)
  return tonumber(string.match(of, '^[^\n]*,"a":(%d+)') or 1)
end
