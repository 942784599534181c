-- Moves the end of a lease. Answers "done", "unknown", or "again" where it must be called again.
-- ARGV: now, sender, worker, end of the lease, lease, how long the session is remembered.
local worker, lease, remembered = ARGV[3], ARGV[5], ARGV[6]
local key = P .. 'worker:' .. worker
if call('EXISTS', key) == 0 then return 'unknown' end
local ends = call('ZSCORE', P .. 'workers', worker)
if ends and tonumber(ends) <= tonumber(ARGV[1]) then
  local is_done = release_runs(worker, ends)
  if released > 0 then wake(ARGV[2]) end
  if not is_done then return 'again' end
end
call('HSET', key, 'lease', lease)
call('PEXPIRE', key, remembered)
local name = call('HGET', key, 'name')
if name then call('PEXPIRE', P .. 'name:' .. name, remembered) end
call('ZADD', P .. 'workers', ARGV[4], worker)
return 'done'
