-- Takes a run away from a worker that could not read it: it fails, or is put off. Answers 1 if the worker had it, and 2 if
-- another run waits for its end, or ends with it.
-- ARGV: now, sender, time to live of finished runs, worker, run, lease, when it is due or nothing, error.
include common
local number, due = ARGV[5], ARGV[7]
local key = P .. 'run:' .. number
local run = call('HMGET', key, 'lease', 'function', 'event', 'looks', 'parent', 'starts', 'lanes')
if run[1] ~= ARGV[6] then return 0 end
call('SREM', P .. 'held:' .. ARGV[4], number)
if run[7] then
  include freed
  free_places(number, run[7])
end
if due ~= '' then
  include wait
  wait(number, run[2], '2', due)
  -- Whatever arrives for it meanwhile, it cannot be read before.
  call('HSET', key, 'aside', ARGV[8], 'keeps', '1')
  return 1
end
include undo
end_undo(number)
call('HSET', key, 'status', '5', 'lease', '', 'ended', ARGV[1], 'aside', ARGV[8])
call('ZADD', P .. 'finished', ARGV[1], number)
local single = call('HGET', key, 'single')
if single then
  include single
  next_single(single, ARGV[1])
end
if run[4] then
  include waits
  close_waits(number, run[2])
end
if ARGV[3] ~= '' then
  include expire
  pcall(expire, number, ARGV[3])
end
if run[5] or run[6] then
  include family
  if end_family(number, ARGV[1], ARGV[3]) then
    redis.pcall('PUBLISH', P .. 'wake', ARGV[2])
    return 2
  end
end
return 1
