-- Every event type that anybody may wait for.
include common
local types, all = {}, call('HGETALL', P .. 'awaited')
for place = 1, #all, 2 do types[#types + 1] = all[place] end
return types
