-- A lane has the events of one type and key, or of one type without a key: `log:<lane>` by their places, and in `wait:<lane>` the run
-- and the `seq` of each entry that waits for more.
local function lane_of(event_type, key)
  return string.format('%d ', #event_type) .. event_type .. (type(key) == 'string' and '=' .. key or '')
end
local function type_of_lane(lane)
  local length, rest = string.match(lane, '^(%d+) (.*)$')
  return string.sub(rest or '', 1, tonumber(length or 0))
end
-- A table written as JSON; an empty one where there is none.
local function decoded(text)
  local is_json, value = pcall(cjson.decode, text or 'null')
  return is_json and type(value) == 'table' and value or {}
end
