-- Takes messages out of the stream, but for those that another group has not acknowledged.
local function padded(id)
  local millis, number = id:match('^(%d+)-(%d+)$')
  return ('0'):rep(20 - #millis) .. millis .. ('0'):rep(20 - #number) .. number
end

local function other_groups(group)
  local others, groups = {}, redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return others end
  for _, about in ipairs(groups) do
    local one = {}
    for i = 1, #about, 2 do one[about[i]] = about[i + 1] end
    if one.name ~= group then
      others[#others + 1] = { name = one.name, last = padded(one['last-delivered-id']) }
    end
  end
  return others
end

local others
local function done(group, id)
  call('XACK', stream, group, id)
  others = others or other_groups(group)
  for _, other in ipairs(others) do
    if other.last < padded(id) or #call('XPENDING', stream, other.name, id, id, 1) > 0 then return end
  end
  call('XDEL', stream, id)
end
