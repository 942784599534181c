-- Gives back the runs of a session but for those it keeps; answers how many, the round that begins with it, and 1. A call of an
-- earlier round was sent again meanwhile, or another client has begun the next: it gives nothing back and answers 0 in the end.
-- ARGV: now, sender, worker, round, count of kept leases, run and lease of each.
include common
include wait
local now, worker, round, kept, count = ARGV[1], ARGV[3], tonumber(ARGV[4]), {}, 0
local session = P .. 'worker:' .. worker
local known = call('HMGET', session, 'lease', 'round')
if not known[1] then return { 0, ARGV[4], 1 } end
if known[2] and round < tonumber(known[2]) then return { 0, known[2], 0 } end
round = string.format('%d', round + 1)
for place = 1, tonumber(ARGV[5]) do kept[ARGV[4 + 2 * place]] = ARGV[5 + 2 * place] end
for _, number in ipairs(call('SMEMBERS', P .. 'held:' .. worker)) do
  local run = call('HMGET', P .. 'run:' .. number, 'function', 'lease', 'lanes')
  if not run[1] or run[2] ~= kept[number] then
    if run[1] then
      wait(number, run[1], '2', now)
      if run[3] then
        include freed
        free_places(number, run[3])
      end
      count = count + 1
    end
    call('SREM', P .. 'held:' .. worker, number)
  end
end
call('HSET', session, 'round', round)
if count > 0 then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return { count, round, 1 }
