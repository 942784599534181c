-- A run that another one has started has a field `parent`: how many runs are above it, 1 where it ends with that one and 0 otherwise,
-- and the id of that one. Answers the id, and whether they end together.
local function parent_of(text)
  local is_attached, id = string.match(text or '', '^%d+ (%d) (.*)$')
  return id, is_attached == '1'
end
