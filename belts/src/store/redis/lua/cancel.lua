-- Cancels a run; answers 1 if it had not finished. ARGV: now, sender, ticket, time to live of finished runs, run id.
include common
include find
local now, ticket = ARGV[1], ARGV[3]
local number = find(ARGV[5])
local key = P .. 'run:' .. (number or '')
local run = number and call('HMGET', key, 'status', 'lease', 'function', 'apart', 'ticket', 'parent', 'starts', 'undo')
if not run or not run[1] then return 0 end
-- The ticket tells whether this very request, sent again, has done it.
if tonumber(run[1]) >= 4 or run[8] then return run[5] == ticket and 1 or 0 end
include cancel
cancel(number, run, now, ARGV[4])
call('HSET', key, 'ticket', ticket)
if run[6] or run[7] then
  include family
  end_family(number, now, ARGV[4])
end
-- Whoever drives it should hear of it.
redis.pcall('PUBLISH', P .. 'wake', ARGV[2])
return 1
