-- Makes a failed or cancelled run due again; answers 1 if it was one. ARGV: now, sender, ticket, run id,
-- whether entries are dropped from a number on, that number; and the entries that wait again, or are dropped: these with a `u`.
include common
include find
include wait
local now, ticket = ARGV[1], ARGV[3]
local number = find(ARGV[4])
if not number then return 0 end
local key, steps = P .. 'run:' .. number, P .. 'steps:' .. number
local run = call('HMGET', key, 'status', 'function', 'started', 'event', 'ticket', 'parent', 'limits', 'joined', 'single')
-- The ticket tells whether this very request, sent again, has done it.
if run[5] == ticket then return 1 end
if run[1] ~= '5' and run[1] ~= '6' then return 0 end
call('HSET', key, 'ticket', ticket)
wait(number, run[2], run[3] and '2' or '0', now)
-- It may have been forgotten meanwhile.
call('SADD', P .. 'functions', run[2])
call('HDEL', key, 'ended', 'failed', 'crashes', 'died', 'aside', 'undo', 'keeps')
call('HDEL', steps, 'result')
local reopened, undone = {}, {}
for place = 7, #ARGV do
  local seq = string.match(ARGV[place], '^u(%d+)$')
  if seq then undone[seq] = true else reopened[ARGV[place]] = true end
end
if ARGV[5] ~= '' or next(undone) then call('HINCRBY', key, 'generation', '1') end
if run[6] then
  include ended
  untell(ARGV[4])
  call('HDEL', P .. 'kin', number)
end
if run[7] then
  include limit
  local since, start, finish = string.match(run[7], '^(%S+) (%S+) (%S+)$')
  local function within(by) return by == '-' and by or string.format('%d', tonumber(by) - tonumber(since)) end
  give_time(number, tonumber(now), within(start), within(finish), run[3])
end
-- An entry begins with its state, of which 1 waits and 2 is failed, and a line of JSON.
local journal = call('HGETALL', steps)
for place = 1, #journal, 2 do
  local seq, state, header = journal[place], string.match(journal[place + 1], '^(.)([^\n]*)')
  if undone[seq] or ARGV[5] ~= '' and tonumber(seq) >= tonumber(ARGV[6]) then
    call('HDEL', steps, seq)
  elseif reopened[seq] then
    -- Without the time at which it was due or had finished, and without a value. No text in JSON has a quote that nothing escapes.
    header = string.gsub(string.gsub(header, ',"d":%-?%d+', '', 1), ',"f":%-?%d+', '', 1)
    call('HSET', steps, seq, '1' .. header .. '\n')
  elseif state == '2' then
    call('HDEL', steps, seq)
  end
end
call('ZREM', P .. 'finished', number)
include awaits
include waits
unspend(run[4])
local is_looking = call('SISMEMBER', P .. 'awaiting', run[2]) == 1
local left = call('HGETALL', steps)
for place = 1, #left, 2 do
  -- What could not be undone is undone the next time.
  if string.byte(left[place + 1]) == 51 then call('HSET', key, 'undoable', '1') end
  local open = read_wait(left[place + 1])
  for _, event_type in ipairs(open and open.t or {}) do begin_to_await(run[2], event_type, now) end
  if open then open_wait(number, left[place], open) end
  is_looking = is_looking or open
end
if is_looking then let_look(number, run[2]) end
local keeps = { key, steps, P .. 'id:' .. ARGV[4], P .. 'event:' .. run[4] }
if run[8] then
  keeps[5] = P .. 'joined:' .. number
  for _, member in ipairs(call('LRANGE', keeps[5], '0', '-1')) do
    keeps[#keeps + 1] = P .. 'event:' .. string.match(member, '^%d+ (.*)$')
  end
end
for _, kept in ipairs(keeps) do call('PERSIST', kept) end
-- Whoever comes later waits for it as well.
if run[9] then call('ZADD', P .. 'single:' .. run[9], number, number) end
redis.pcall('PUBLISH', P .. 'wake', ARGV[2])
return 1
