-- Gives back the runs of a session but for those it keeps; answers how many, and the round that begins with it.
-- ARGV: now, sender, worker, round, count of kept leases, run and token of each.
local now, worker, round, kept, count = ARGV[1], ARGV[3], ARGV[4], {}, 0
local session = P .. 'worker:' .. worker
local known = call('HMGET', session, 'lease', 'round')
if not known[1] then return { 0, round } end
if is_late(known[2], round) then round = known[2] end
for place = 1, tonumber(ARGV[5]) do kept[ARGV[4 + 2 * place]] = ARGV[5 + 2 * place] end
for _, number in ipairs(call('SMEMBERS', P .. 'held:' .. worker)) do
  local run = call('HMGET', P .. 'run:' .. number, 'function', 'token')
  if not kept[number] or kept[number] ~= run[2] then
    if run[1] then
      wait(number, run[1], '2', now)
      count = count + 1
    end
    call('SREM', P .. 'held:' .. worker, number)
  end
end
if count > 0 then wake(ARGV[2]) end
call('HSET', session, 'round', text(round + 1))
return { count, text(round + 1) }
