-- Forgets consumers that are gone: group, for how many milliseconds one must not have been seen, and our own. One that
-- has messages stays, until others have taken them.
include keys
local group, idle, own = ARGV[1], tonumber(ARGV[2]), ARGV[3]
for _, about in ipairs(call('XINFO', 'CONSUMERS', stream, group)) do
  local one = {}
  for i = 1, #about, 2 do one[about[i]] = about[i + 1] end
  if one.pending == 0 and one.idle > idle and one.name ~= own then
    call('XGROUP', 'DELCONSUMER', stream, group, one.name)
  end
end
return 0
