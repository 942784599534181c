-- Begins a session. Answers its id, or "again" where it must be called again first.
-- ARGV: now, sender, end of the lease, lease, how long the session is remembered, where ids begin, by how much they grow, ticket,
-- whether there is a name, the name, the end of leases that are forgotten, what it wants as JSON,
-- what it awaits as JSON, the limits of its functions as JSON, what its build is called or nothing; and its functions, each with `1`
-- where its cancels are handled, and nothing otherwise.
include common
include session
include settle
include hear
local now, ends, remembered, ticket = ARGV[1], ARGV[3], ARGV[5], ARGV[8]
local name = ARGV[9] ~= '' and ARGV[10] or nil

-- The ticket tells whether this very request, sent again, has done it.
local made_with, made = string.match(call('HGET', P .. 'meta', 'registered') or '', '^(%S+) (%d+)$')
if made_with == ticket then return made end

local before = name and call('GET', P .. 'name:' .. name)
local is_done = not before or end_session(before, now, true)
for _, silent in ipairs(call('ZRANGEBYSCORE', P .. 'wanting', '-inf', '(' .. ARGV[11], 'LIMIT', 0, 1000)) do
  is_done = is_done and end_session(silent, now, true)
end
tell(ARGV[2])
if not is_done or not hear_of(now) then return 'again' end

call('HSETNX', P .. 'meta', 'format', '1')
call('HSETNX', P .. 'meta', 'worker', ARGV[6])
-- A server that lost its last writes gives no id a second time.
local worker = string.format('%d', call('HINCRBY', P .. 'meta', 'worker', ARGV[7]))
local session = P .. 'worker:' .. worker
call('HSET', P .. 'meta', 'registered', ticket .. ' ' .. worker)
call('HSET', session, 'lease', ARGV[4], 'ends', ends)
if ARGV[15] ~= '' then call('HSET', session, 'build', ARGV[15]) end
if name then
  call('HSET', session, 'name', name)
  call('SET', P .. 'name:' .. name, worker, 'PX', remembered)
end
call('PEXPIRE', session, remembered)
call('ZADD', P .. 'workers', ends, worker)
call('ZADD', P .. 'wanting', ends, worker)
call('HSET', P .. 'wants', worker, ARGV[12])
if ARGV[13] ~= '{}' then call('HSET', P .. 'awaits', worker, ARGV[13]) end
local limits = cjson.decode(ARGV[14])
for place = 16, #ARGV, 2 do
  local fn = ARGV[place]
  call('SADD', P .. 'functions', fn)
  if limits[fn] then
    call('HSET', P .. 'limits', fn, limits[fn])
  else
    call('HDEL', P .. 'limits', fn)
  end
  if ARGV[place + 1] == '' then
    call('HDEL', P .. 'cancel_handled', fn)
  else
    call('HSET', P .. 'cancel_handled', fn, '1')
  end
end
include limited
note_limited()
settle(now)
if call('EXISTS', P .. 'awaits', P .. 'awaited') > 0 then
  include awaits
  settle_awaits(now)
end
return worker
