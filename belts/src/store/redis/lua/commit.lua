-- Fenced writes of workers. Answers a digit for each commit: 1 where it was written, 0 where the lease is no more.
-- ARGV: now, whether this is sent again, time to live of finished runs, sender or nothing, count of commits; for each
-- commit its run, worker, lease and change; where there is a change, its due, failed, result, and whether it keeps its time; count of
-- entries, seq and entry of each; count of entries that wait or did, of each its seq, what stands before its places and behind them,
-- whether there is a key, the key, count of types, and of each the type and behind what it is looked for; and nothing, or the count of
-- runs to start, each with what `start` reads, and the runs to watch and those to cancel, counted; count of tags, and the tags. A change is the new status, or "x" to
-- remove the run. Of a run that is due at once for what has arrived, or where others are, 2 is answered.
-- Functions cost, and so do numbers as arguments of commands, which are printed as floats: neither where it can be helped.
include common
local now, ttl, outcomes, left_due, at = ARGV[1], ARGV[3], '', false, 6
for _ = 1, tonumber(ARGV[5]) do
  local number, worker, lease, change = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local due, failed, result, keeps = '', '', '', ''
  -- It stands before the status of a run that is undone.
  local is_undone = string.byte(change) == 117
  if is_undone then change = string.sub(change, 2) end
  at = at + 4
  if change ~= '' then
    due, failed, result, keeps = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    at = at + 4
  end
  local first, last = at + 1, at + 2 * tonumber(ARGV[at])
  local waits
  at = last + 2
  for place = 1, tonumber(ARGV[last + 1]) do
    local types, key = {}, ARGV[at + 3] ~= '' and ARGV[at + 4] or nil
    waits = waits or {}
    waits[place] = { seq = ARGV[at], head = ARGV[at + 1], tail = ARGV[at + 2], key = key, types = types }
    local count = tonumber(ARGV[at + 5])
    for nth = 1, count do types[nth] = { event_type = ARGV[at + 4 + 2 * nth], after = ARGV[at + 5 + 2 * nth] } end
    at = at + 6 + 2 * count
  end
  local run, steps = P .. 'run:' .. number, P .. 'steps:' .. number
  local starts, first_start, last_watch, last_cancel = tonumber(ARGV[at]), at + 1, at, at
  at = at + 1
  if starts then
    at = at + 9 * starts
    last_watch = at + tonumber(ARGV[at])
    last_cancel = last_watch + 1 + tonumber(ARGV[last_watch + 1])
    at = last_cancel + 1
  end
  local first_tag, last_tag = at + 1, at + tonumber(ARGV[at])
  at = last_tag + 1
  local holds, outcome = call('HGET', run, 'lease') == lease, '0'
  if holds then outcome = '1' end

  if holds and change ~= 'x' then
    include write
    local undoable = false
    for place = first, last, 2 do
      write(steps, ARGV[place], ARGV[place + 1])
      undoable = undoable or string.byte(ARGV[place + 1]) == 51
    end
    if waits then
      include resolve
      for _, one in ipairs(waits) do
        undoable = undoable or string.byte(one.head) == 51
        if write_wait(number, one.seq, one.head, one.tail, one.types, one.key, now) then outcome = '2' end
      end
    end
    -- 3 is the state of an entry that can be undone.
    if undoable then call('HSET', run, 'undoable', '1') end
  end
  -- Its waits hear of ends that are told here, and those that it closed do not.
  if holds and starts and change ~= 'x' then
    include start
    for place = first_start, first_start + 9 * starts - 1, 9 do
      if start(place, now, ttl) then outcome = '2' end
    end
    for place = first_start + 9 * starts + 1, last_watch do
      if watch(ARGV[place], now, ttl) then outcome = '2' end
    end
    local id = call('HGET', run, 'id')
    for place = last_watch + 2, last_cancel do
      if cancel_own(ARGV[place], id, now, ttl) then outcome = '2' end
    end
  end

  if holds and last_tag >= first_tag and change ~= 'x' then
    include tag
    for place = first_tag, last_tag do tag(number, ARGV[place]) end
  end

  if holds and change == 'x' then
    include forget
    local single, lanes = unpack(call('HMGET', run, 'single', 'lanes'))
    if lanes then
      include freed
      if free_places(number, lanes) then outcome = '2' end
    end
    local event_id, published_at, is_needed, started = forget(number)
    if single then
      include single
      if next_single(single, now) then outcome = '2' end
    end
    if started then
      include ended
      if tell_end(number, started, nil, now, ttl) then outcome = '2' end
    end
    local is_placed = event_id and call('HEXISTS', P .. 'placed', event_id) == 1
    if event_id and (ttl ~= '' or is_needed or is_placed) then
      include expire
      expire_event(event_id, ttl)
    end
    if event_id and not is_needed and not is_placed then call('ZADD', P .. 'idle', published_at, event_id) end
    call('SREM', P .. 'held:' .. worker, number)
  elseif holds then
    if result ~= '' then call('HSET', steps, 'result', result) end
    if failed ~= '' then call('HSET', run, 'failed', failed) end
    if change == '2' then
      local found = call('HMGET', run, 'function', 'looks', 'waits', 'event', 'lanes')
      if found[5] then
        include freed
        if free_places(number, found[5]) then outcome = '2' end
      end
      if found[2] then call('HSET', run, 'keeps', keeps) end
      if found[3] and keeps == '' and (due == '' or tonumber(due) > tonumber(now)) then
        include look
        if has_arrived(number, found[4], found[3]) then due, outcome = now, '2' end
      end
      call('HSET', run, 'status', change, 'lease', '', 'due', due)
      if due == '' then
        call('ZADD', P .. 'parked:' .. found[1], number, number)
      else
        call('ZADD', P .. 'due:' .. found[1], due, number)
        left_due = left_due or tonumber(due) <= tonumber(now)
      end
    elseif change == '3' then
      call('HSET', run, 'status', change, 'lease', '')
      local found = call('HMGET', run, 'function', 'lanes')
      call('ZADD', P .. 'stopped:' .. found[1], number, number)
      if found[2] then
        include freed
        if free_places(number, found[2]) then outcome = '2' end
      end
    elseif change ~= '' then
      local found = call('HMGET', run, 'looks', 'function', 'parent', 'starts', 'limits', 'undoable', 'undo', 'single', 'lanes')
      if found[9] then
        include freed
        if free_places(number, found[9]) then outcome = '2' end
      end
      local undoes = false
      if not is_undone and (change == '6' or change == '5' and found[6]) then
        include undo
        undoes = goes_on_as(change, found[2], found[6], found[7])
      end
      if is_undone or undoes then
        include undo
        if is_undone then
          end_undo(number)
        else
          outcome = '2'
          begin_undo(number, change, found[2], now)
        end
      end
      if not undoes then
        call('HSET', run, 'status', change, 'lease', '', 'ended', now)
        call('ZADD', P .. 'finished', now, number)
      end
      if found[5] then call('ZREM', P .. 'times', number) end
      if found[8] and not undoes then
        include single
        if next_single(found[8], now) then outcome = '2' end
      end
      if found[1] then
        include waits
        close_waits(number, found[2])
      end
      if ttl ~= '' and not undoes then
        include expire
        expire(number, ttl)
      end
      if found[3] or found[4] and change ~= '4' then
        include family
        if end_family(number, now, ttl) then outcome = '2' end
      end
    end
    if change ~= '' then call('SREM', P .. 'held:' .. worker, number) end
  elseif ARGV[2] ~= '' and change ~= '' then
    -- It is sent again, and was written before if the run is just as it leaves it and nobody had it since.
    local is = call('HMGET', run, 'lease', 'token', 'status', 'due', 'failed', 'parent')
    local same = is[1] == '' and is[2] == string.match(lease, '%d+$') and is[3] == change
      and (due == '' or is[4] == due or is[4] == now) and (failed == '' or is[5] == failed)
      and (result == '' or call('HGET', steps, 'result') == result)
    for place = first, last, 2 do
      same = same and call('HGET', steps, ARGV[place]) == ARGV[place + 1]
    end
    for _, one in ipairs(waits or {}) do
      local present = call('HGET', steps, one.seq) or ''
      same = same and string.sub(present, 1, #one.head) == one.head and string.sub(present, -#one.tail) == one.tail
    end
    for place = first_start, first_start + 9 * (starts or 0) - 1, 9 do
      include find
      same = same and (call('EXISTS', P .. 'event:' .. ARGV[place]) == 1 or find(ARGV[place + 7]))
    end
    -- Whoever waits for its end may not have been woken.
    if same or change == 'x' and not is[1] then outcome = (is[6] or change == 'x') and '2' or '1' end
  end
  left_due = left_due or outcome == '2'
  outcomes = outcomes .. outcome
end
if left_due and ARGV[4] ~= '' then redis.pcall('PUBLISH', P .. 'wake', ARGV[4]) end
return outcomes
