-- Writes entries of one run that goes on: the usual commit, and so without anything that it does not need.
-- KEYS: the run, its journal. ARGV: lease, seq and entry of each. Answers 1, or 0 where the lease is no more.
local call = redis.call
if call('HGET', KEYS[1], 'lease') ~= ARGV[1] then return '0' end
for place = 2, #ARGV, 2 do
  if call('HSETNX', KEYS[2], ARGV[place], ARGV[place + 1]) == 0 then
    include write
    write(KEYS[2], ARGV[place], ARGV[place + 1])
  end
end
return '1'
