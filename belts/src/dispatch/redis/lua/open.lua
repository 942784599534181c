-- Looks whether the keys are ours. Answers the key that is not and what it is, or nothing.
include keys
local types = { 'stream', 'zset', 'hash', 'stream' }
for i, key in ipairs(KEYS) do
  local found = call('TYPE', key).ok
  if found ~= 'none' and found ~= types[i] then return { key, found } end
end
return {}
