-- Which limit keeps a run waiting: the lane, the limit, and how many places are taken; or nothing. ARGV: run id.
include common
include find
include lines
local number = find(ARGV[1])
local run = number and call('HMGET', P .. 'run:' .. number, 'line', 'function')
if not run or not run[1] or not is_in(number, run[1]) then return nil end
local lane = string.match(call('HGET', P .. 'state:' .. run[2], run[1]) or '', '^@(.*)$')
local limit = lane and call('ZSCORE', P .. 'fullby:' .. run[2] .. ':' .. pool_of(lane), lane)
return limit and { lane, limit, string.format('%d', held_of(lane)) } or nil
