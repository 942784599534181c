-- Moves the end of a lease. Answers "done", "unknown", or "again" where it must be called again.
-- ARGV: now, worker, end of the lease, lease, how long the session is remembered.
include common
include hear
local worker, ends, remembered = ARGV[2], ARGV[3], ARGV[5]
local key = P .. 'worker:' .. worker
local session = redis.pcall('HMGET', key, 'lease', 'name', 'ends')
if not session[1] then return 'unknown' end
-- One that was overtaken by a later one changes nothing; from ten leases on the clock was set back.
local lease = tonumber(session[1])
local ahead = (tonumber(session[3]) or 0) - lease - tonumber(ARGV[1])
if ahead > 0 and ahead < 10 * lease then return 'done' end
if not hear_of(ARGV[1]) then return 'again' end
call('HSET', key, 'lease', ARGV[4], 'ends', ends)
call('PEXPIRE', key, remembered)
if session[2] then call('PEXPIRE', P .. 'name:' .. session[2], remembered) end
call('ZADD', P .. 'workers', ends, worker)
call('ZADD', P .. 'wanting', ends, worker)
-- A session of an earlier version that has come meanwhile took what it wants for all that anybody does.
local ids = call('HMGET', P .. 'meta', 'worker', 'registered')
if ids[1] and ids[1] ~= string.match(ids[2] or '', ' (%d+)$') then
  include settle
  settle(ARGV[1])
  call('HSET', P .. 'meta', 'registered', '- ' .. ids[1])
end
return 'done'
