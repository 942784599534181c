-- Begins a session. Answers its id, or "again" where it must be called again first.
-- ARGV: now, sender, end of the lease, lease, how long the session is remembered, where ids begin, whether there is a name,
-- the name; count of subscriptions, each with its function and its event types, counted.
include common
include session
local ends, remembered = ARGV[3], ARGV[5]
local name = ARGV[7] ~= '' and ARGV[8] or nil

local before = name and call('GET', P .. 'name:' .. name)
local is_done = not before or end_session(before, ARGV[1])
tell(ARGV[2])
if not is_done then return 'again' end

call('HSETNX', P .. 'meta', 'format', '1')
call('HSETNX', P .. 'meta', 'worker', ARGV[6])
local worker = string.format('%d', call('HINCRBY', P .. 'meta', 'worker', 1))
local session = P .. 'worker:' .. worker
call('HSET', session, 'lease', ARGV[4], 'ends', ends)
if name then
  call('HSET', session, 'name', name)
  call('SET', P .. 'name:' .. name, worker, 'PX', remembered)
end
call('PEXPIRE', session, remembered)
call('ZADD', P .. 'workers', ends, worker)

local at = 10
for _ = 1, tonumber(ARGV[9]) do
  local fn, last = ARGV[at], at + 1 + tonumber(ARGV[at + 1])
  local types = P .. 'function:' .. fn
  for _, old in ipairs(call('SMEMBERS', types)) do call('ZREM', P .. 'type:' .. old, fn) end
  call('DEL', types)
  call('SREM', P .. 'subscribed', fn)
  call('SADD', P .. 'functions', fn)
  for place = at + 2, last do
    call('SADD', types, ARGV[place])
    call('ZADD', P .. 'type:' .. ARGV[place], 0, fn)
    call('SADD', P .. 'subscribed', fn)
  end
  at = last + 1
end
return worker
