-- Gives back the runs of a session but for those it keeps; answers how many.
-- ARGV: now, sender, worker, count of kept leases, run and token of each.
local now, worker, kept, count = ARGV[1], ARGV[3], {}, 0
for place = 1, tonumber(ARGV[4]) do kept[ARGV[3 + 2 * place]] = ARGV[4 + 2 * place] end
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
return count
