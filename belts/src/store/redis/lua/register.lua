-- Begins a session. Answers its id, or "again" where it must be called again first.
-- ARGV: now, sender, end of the lease, lease, how long the session is remembered, where ids begin, whether there is a name,
-- the name; count of subscriptions, each with its function and its event types, counted.
local now, sender, ends, lease, remembered = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local name = ARGV[7] ~= '' and ARGV[8] or nil

local function subscribe(fn, first, last)
  local types = P .. 'function:' .. fn
  for _, old in ipairs(call('SMEMBERS', types)) do call('ZREM', P .. 'type:' .. old, fn) end
  call('DEL', types)
  call('SREM', P .. 'subscribed', fn)
  for place = first, last do
    call('SADD', types, ARGV[place])
    call('ZADD', P .. 'type:' .. ARGV[place], 0, fn)
    call('SADD', P .. 'subscribed', fn)
  end
end

local before = name and call('GET', P .. 'name:' .. name)
local is_done = not before or end_session(before, now)
if released > 0 then wake(sender) end
if not is_done then return 'again' end

call('HSETNX', P .. 'meta', 'format', FORMAT)
call('HSETNX', P .. 'meta', 'worker', ARGV[6])
local worker = text(call('HINCRBY', P .. 'meta', 'worker', 1))
call('HSET', P .. 'worker:' .. worker, 'lease', lease)
call('PEXPIRE', P .. 'worker:' .. worker, remembered)
call('ZADD', P .. 'workers', ends, worker)
if name then
  call('HSET', P .. 'worker:' .. worker, 'name', name)
  call('SET', P .. 'name:' .. name, worker, 'PX', remembered)
end
local at = 10
for _ = 1, tonumber(ARGV[9]) do
  local last = at + 1 + tonumber(ARGV[at + 1])
  subscribe(ARGV[at], at + 2, last)
  at = last + 1
end
return worker
