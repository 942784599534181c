-- Adds a tag to a run. `tagged` has the tags of each run that has any, and `tag:<tag>` the runs that have it.
local function tag(number, text)
  if call('ZADD', P .. 'tag:' .. text, number, number) == 0 then return end
  local known = call('HGET', P .. 'tagged', number)
  local tags = known and cjson.decode(known) or {}
  tags[#tags + 1] = text
  call('HSET', P .. 'tagged', number, cjson.encode(tags))
end
