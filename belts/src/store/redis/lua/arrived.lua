-- What has arrived for the waits of runs whose leases stand: of each such run its place among those asked for, from 0 on, and the `seq`,
-- place, id and text of each event. ARGV: the most bytes beside the first of each wait, run and lease of each.
include common
include look
include bring
local all, room = {}, tonumber(ARGV[1])
for place = 2, #ARGV, 2 do
  local run = redis.pcall('HMGET', P .. 'run:' .. ARGV[place], 'lease', 'event', 'waits')
  if run[1] == ARGV[place + 1] and run[2] and run[3] then
    local arrivals
    arrivals, room = bring(look_for(ARGV[place], run[2], run[3]), room)
    if #arrivals > 0 then
      all[#all + 1] = place / 2 - 1
      all[#all + 1] = arrivals
    end
  end
end
return all
