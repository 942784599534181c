-- Gives deliveries back that are still their receiver's: group, how many messages are kept that were put aside, then for
-- each its id, how often the group was given it, its consumer, its delay in milliseconds or nothing if it is put aside,
-- and why.
include keys
include now
include later
include held
include done
local group, kept = ARGV[1], ARGV[2]

local function field(fields, name)
  for i = 1, #fields, 2 do
    if fields[i] == name then return fields[i + 1] end
  end
end

local function put_aside(id, origin, arrivals, fields, reason)
  local letter = { 'XADD', dead, 'MAXLEN', kept, '*', 'belts:id', origin, 'belts:arrivals', arrivals, 'belts:group', group, 'belts:reason', reason }
  -- Lua passes only so many arguments on.
  for i = 1, math.min(#fields, 1000), 2 do
    if fields[i]:sub(1, 6) ~= 'belts:' then
      letter[#letter + 1], letter[#letter + 2] = fields[i], fields[i + 1]
    end
  end
  call(unpack(letter))
end

local function give_back(id, times, delay, reason)
  local entry = call('XRANGE', stream, id, id)[1]
  if entry then
    local fields = entry[2]
    local origin = field(fields, 'belts:id') or id
    local before = (field(fields, 'belts:arrivals') or ''):match('^%d+$') or 0
    if origin == '' or origin:find('%s') then origin = id end
    local arrivals = string.format('%.0f', math.min(before + times, 4294967295))
    if delay == '' then
      put_aside(id, origin, arrivals, fields, reason)
    else
      later(origin, arrivals, group, field(fields, 'body') or '', delay)
    end
  end
  done(group, id)
end

for i = 3, #ARGV, 5 do
  local id, times, consumer = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if is_held(group, id, times, consumer) then give_back(id, times, ARGV[i + 3], ARGV[i + 4]) end
end
return 0
