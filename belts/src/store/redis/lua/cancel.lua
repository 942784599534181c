-- Cancels a run; answers 1 if it had not finished. ARGV: now, ticket, time to live of finished runs, run id.
include common
include find
local now, ticket = ARGV[1], ARGV[2]
local number = find(ARGV[4])
local key = P .. 'run:' .. (number or '')
local run = number and call('HMGET', key, 'status', 'lease', 'function', 'ticket')
if not run or not run[1] then return 0 end
-- The ticket tells whether this very request, sent again, has done it.
if tonumber(run[1]) >= 4 then return run[4] == ticket and 1 or 0 end
call('HSET', key, 'status', '6', 'lease', '', 'due', '', 'ended', now, 'ticket', ticket)
call('ZADD', P .. 'finished', now, number)
call('ZREM', P .. 'due:' .. run[3], number)
local worker = string.match(run[2], '^%d+')
if worker then call('SREM', P .. 'held:' .. worker, number) end
if ARGV[3] ~= '' then
  include expire
  expire(number, ARGV[3])
end
return 1
