-- The events of a run, each with its id, in the order of publishing. ARGV: run id.
include common
include find
local number = find(ARGV[1])
local own = number and call('HMGET', P .. 'run:' .. number, 'event', 'joined')
if not own or not own[1] then return {} end
local members = { { tonumber(number), own[1] } }
for _, member in ipairs(own[2] and call('LRANGE', P .. 'joined:' .. number, '0', '-1') or {}) do
  local first, id = string.match(member, '^(%d+) (.*)$')
  members[#members + 1] = { tonumber(first), id }
end
table.sort(members, function(a, b) return a[1] < b[1] end)
local found = {}
for _, member in ipairs(members) do
  found[#found + 1] = member[2]
  found[#found + 1] = call('GET', P .. 'event:' .. member[2]) or ''
end
return found
