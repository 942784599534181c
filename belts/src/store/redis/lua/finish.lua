-- Completes a run: the other usual commit. KEYS: the run, its journal, the runs that its worker holds, the finished.
-- ARGV: now, lease, run, result, seq and entry of each. Answers 1, or 0 where the lease is no more; 3 where
-- another run waits for the end of this one, and nobody was told.
local call = redis.call
local run = call('HMGET', KEYS[1], 'lease', 'looks', 'parent', 'limits', 'single', 'lanes')
if run[1] ~= ARGV[2] then return '0' end
call('HSET', KEYS[2], 'result', unpack(ARGV, 4))
call('HSET', KEYS[1], 'status', '4', 'lease', '', 'ended', ARGV[1])
call('ZADD', KEYS[4], ARGV[1], ARGV[3])
call('SREM', KEYS[3], ARGV[3])
if run[4] then call('ZREM', string.sub(KEYS[4], 1, -1 - #'finished') .. 'times', ARGV[3]) end
if run[2] then
  -- It waits for nothing any more.
  local P = string.sub(KEYS[4], 1, -1 - #'finished')
  include waits
  close_waits(ARGV[3], call('HGET', KEYS[1], 'function'))
end
if run[6] then
  local P = string.sub(KEYS[4], 1, -1 - #'finished')
  include freed
  if free_places(ARGV[3], run[6]) then redis.pcall('PUBLISH', P .. 'wake', '') end
end
if run[3] then
  local P = string.sub(KEYS[4], 1, -1 - #'finished')
  include ended
  if tell_end(ARGV[3], call('HGET', KEYS[1], 'id'), '4', ARGV[1], '') then return '3' end
end
if run[5] then
  local P = string.sub(KEYS[4], 1, -1 - #'finished')
  include single
  if next_single(run[5], ARGV[1]) then return '3' end
end
return '1'
