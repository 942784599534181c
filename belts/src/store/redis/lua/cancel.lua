-- Cancels a run; answers 1 if it had not finished. ARGV: now, ticket, time to live of finished runs, run id.
local now, ticket = ARGV[1], ARGV[2]
local number = call('GET', P .. 'id:' .. ARGV[4])
if not number then return 0 end
local key = P .. 'run:' .. number
local run = call('HMGET', key, 'status', 'worker', 'function', 'ticket')
if not run[1] then return 0 end
-- The ticket tells whether this very request, sent again, has done it.
if tonumber(run[1]) >= 4 then return run[4] == ticket and 1 or 0 end
call('HSET', key, 'status', '6', 'worker', '', 'due', '', 'ended', now, 'ticket', ticket)
call('ZREM', P .. 'due:' .. run[3], number)
if run[2] ~= '' then call('SREM', P .. 'held:' .. run[2], number) end
finish(number, now, ARGV[3])
return 1
