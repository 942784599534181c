-- Moves the end of a lease. Answers "done", "unknown", or "again" where it must be called again.
-- ARGV: now, sender, worker, end of the lease, lease, how long the session is remembered.
include common
local worker, ends, remembered = ARGV[3], ARGV[4], ARGV[6]
local key = P .. 'worker:' .. worker
local session = call('HMGET', key, 'lease', 'ends', 'name')
if not session[1] then return 'unknown' end
if session[2] and tonumber(session[2]) <= tonumber(ARGV[1]) then
  include release
  local is_done = release_runs(worker, session[2])
  tell(ARGV[2])
  if not is_done then return 'again' end
end
call('HSET', key, 'lease', ARGV[5], 'ends', ends)
call('PEXPIRE', key, remembered)
if session[3] then call('PEXPIRE', P .. 'name:' .. session[3], remembered) end
call('ZADD', P .. 'workers', ends, worker)
return 'done'
