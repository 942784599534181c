-- Every function that subscribes to something, each followed by its event types.
include common
local all = {}
for _, fn in ipairs(call('SMEMBERS', P .. 'subscribed')) do
  all[#all + 1] = fn
  all[#all + 1] = call('SMEMBERS', P .. 'function:' .. fn)
end
return all
