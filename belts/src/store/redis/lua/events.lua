-- Some events: a mark, or nothing at the end, and of each event its id and all that is kept of it.
-- ARGV: the mark, 0 at the beginning; what their keys look like; how many keys are looked at.
include common
local found = call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local answer, first = { found[1] ~= '0' and found[1] }, #P + 7
for _, key in ipairs(found[2]) do
  local text = redis.pcall('GET', key)
  if type(text) == 'string' then
    answer[#answer + 1] = string.sub(key, first)
    answer[#answer + 1] = text
  end
end
return answer
