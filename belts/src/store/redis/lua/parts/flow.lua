include family
include forget
include placed
include single
include times
local function digits(number) return string.format('%.0f', number) end
-- What is kept of a key: in `flow:<id>`, somewhat longer than it says anything; that of a run which collects events for a month, since
-- nobody may be there to claim it.
local day, month = 86400000, 2592000000
local function kept_flow(id)
  local kept = call('HMGET', P .. 'flow:' .. id, 'at', 'run', 'count', 'until')
  return tonumber(kept[1] or ''), kept[2], tonumber(kept[3] or ''), tonumber(kept[4] or '')
end
local function keep_flow(id, at, run, count, last, now, slack)
  local key = P .. 'flow:' .. id
  call('HSET', key, 'at', digits(at), 'run', run, 'count', digits(count), 'until', digits(last))
  call('PEXPIRE', key, digits(math.max(0, last - tonumber(now)) + (slack or day)))
end
-- Takes a run out of whatever line it stands in.
local function step_out(number, run)
  local fn, worker = run.fn, string.match(run.lease, '^%d+')
  call('ZREM', P .. 'due:' .. fn, number)
  call('ZREM', P .. 'parked:' .. fn, number)
  if worker then
    call('SREM', P .. 'held:' .. worker, number)
    local lanes = call('HGET', P .. 'run:' .. number, 'lanes')
    if lanes then
      include freed
      free_places(number, lanes)
    end
  end
  if run.apart then
    call('ZREM', P .. 'apart:' .. run.apart, number)
    if call('EXISTS', P .. 'apart:' .. run.apart) == 0 then call('SREM', P .. 'apart', run.apart) end
    call('HDEL', P .. 'run:' .. number, 'apart')
  end
end
-- Lets a run wait, whether it is leased or not.
local function hold(number, run, mark, due)
  local key = P .. 'run:' .. number
  step_out(number, run)
  call('HSET', key, 'status', due and '0' or '2', 'lease', '', 'due', due and digits(due) or '', 'flow', mark)
  call('HDEL', key, 'started', 'keeps')
  if due then
    call('ZADD', P .. 'due:' .. run.fn, digits(due), number)
  else
    call('ZADD', P .. 'parked:' .. run.fn, number, number)
  end
  call('SADD', P .. 'functions', run.fn)
  local limits = call('HGET', key, 'limits')
  if limits then keep_time(number, limits, false) end
end
local function skip(number, run, by, other, cause, now, ttl)
  local key, mark = P .. 'run:' .. number, 'skipped:' .. by
  if other then mark = mark .. ':' .. other end
  call('HSET', key, 'flow', mark)
  call('HDEL', key, 'started')
  call('HSET', P .. 'steps:' .. number, 'result', cause)
  cancel(number, { run.status, run.lease, run.fn, run.apart }, now, ttl, true)
  end_family(number, now, ttl)
  return mark
end
-- Removes a run whose event is superseded, or is one of another run now.
local function drop(number, run, now, ttl)
  step_out(number, run)
  call('ZREM', P .. 'times', number)
  local event_id, published_at, is_needed, started = forget(number)
  if started then tell_end(number, started, nil, now, ttl) end
  local is_placed = event_id and call('HEXISTS', P .. 'placed', event_id) == 1
  if event_id and (ttl ~= '' or is_needed or is_placed) then expire_event(event_id, ttl) end
  if event_id and not is_needed and not is_placed then call('ZADD', P .. 'idle', published_at, event_id) end
end
-- Makes the event of a run one of another: it names that run in place of its own. `joined:<run>` has them with their first numbers.
local function join(open, number, event_id)
  local event = read_event(event_id)
  if not event then return end
  local runs = string.gsub(event.runs, ',' .. number .. ',', ',' .. open .. ',')
  call('SET', P .. 'event:' .. event_id, event.ticket .. ' ' .. event.at .. ' ' .. runs .. event.rest, 'KEEPTTL')
  call('HSET', P .. 'run:' .. open, 'joined', '1')
  call('RPUSH', P .. 'joined:' .. open, number .. ' ' .. event_id)
end
local function read_flowing(number)
  local run = redis.pcall('HMGET', P .. 'run:' .. number, 'id', 'function', 'status', 'due', 'flow', 'lease', 'event', 'apart', 'started')
  if not run[1] or not run[2] or not run[3] then return nil end
  return { id = run[1], fn = run[2], status = run[3], due = tonumber(run[4] or ''), flow = run[5], lease = run[6] or '', event = run[7],
    apart = run[8], started = run[9] }
end
local function take_turn(number, run, rate, since, now)
  if not rate then
    call('HSET', P .. 'run:' .. number, 'flow', 'starts')
    return 'starts'
  end
  local at = since * 1000
  local next_at = math.max(kept_flow(rate.id) or at, at)
  -- Rounded up: never before its time.
  local due = math.ceil(math.max(at, next_at - rate.ahead) / 1000)
  next_at = next_at + rate.interval
  keep_flow(rate.id, next_at, '', 1, math.floor(next_at / 1000) + 1, now)
  if due <= since then
    call('HSET', P .. 'run:' .. number, 'flow', 'starts')
    return 'starts'
  end
  hold(number, run, 'throttled', due)
  return 'waits', digits(due)
end
-- Applies flow options to a run. Answers "starts", "waits" with the time or nothing, "joined" with the other run, "gone", or the mark of
-- one that is skipped.
local function apply_flow(number, spec, now, ttl, is_leased)
  local run, clock = read_flowing(number), tonumber(now)
  if not run then return 'gone' end
  -- By the clock of whoever asks, which is that of its periods, unless it is delayed.
  local since = math.max(run.due or clock, clock)
  -- They were applied.
  if run.flow and string.sub(run.flow, 1, 8) == 'skipped:' then return run.flow end
  if run.flow == 'starts' or run.flow == 'throttled' or run.flow and not is_leased then
    if run.flow == 'queues' or since > clock then return 'waits', run.due and digits(run.due) or '' end
    return 'starts'
  end
  if run.flow then return take_turn(number, run, spec.throttle, since, now) end
  local once, rate, single = spec.idempotent, spec.rate_limit, spec.singleton
  if once then
    local _, other, _, last = kept_flow(once.id)
    if last and last > since and other ~= run.id then return skip(number, run, 'idempotent', other, once.cause, now, ttl) end
  end
  local next_rate
  if rate then
    local at = since * 1000
    local next_at = math.max(kept_flow(rate.id) or at, at)
    -- What lies further ahead than any of these could was kept by a clock that was set back since; the clocks of publishers differ a
    -- little.
    if next_at > at + rate.ahead + rate.interval + 60000000 then next_at = at end
    if next_at - rate.ahead > at then return skip(number, run, 'rate_limit', nil, rate.cause, now, ttl) end
    next_rate = next_at + rate.interval
  end
  local queues = false
  if single then
    local line, replaced = P .. 'single:' .. single.id, {}
    while true do
      -- One is enough to wait for; of those that are replaced the last is looked at first.
      local other
      if single['then'] ~= 'replace' then
        other = call('ZRANGE', line, '0', '0')[1]
      else
        local last = -1 - #replaced
        other = call('ZRANGE', line, last, last)[1]
      end
      if not other then break end
      local live = other ~= number and redis.pcall('HMGET', P .. 'run:' .. other, 'status', 'lease', 'function', 'apart', 'id', 'undo')
      if not live or not live[1] or tonumber(live[1]) >= 4 then
        call('ZREM', line, other)
      elseif single['then'] == 'skip' or single['then'] == 'replace' and tonumber(other) > tonumber(number) then
        return skip(number, run, 'singleton', live[5], single.cause, now, ttl)
      elseif single['then'] == 'replace' then
        replaced[#replaced + 1] = { other, live }
      else
        queues = true
        break
      end
    end
    for _, old in ipairs(replaced) do
      if not old[2][6] then
        cancel(old[1], old[2], now, ttl)
        end_family(old[1], now, ttl)
      end
    end
    call('ZADD', line, number, number)
    call('HSET', P .. 'run:' .. number, 'single', single.id)
  end
  if once then keep_flow(once.id, since, run.id, 1, since + once.within, now) end
  if rate then keep_flow(rate.id, next_rate, '', 1, math.floor(next_rate / 1000) + 1, now) end
  if queues then
    hold(number, run, 'queues', nil)
    return 'waits', ''
  end
  local spread = spec.debounce or spec.batch
  if spread then
    local at, other, count = kept_flow(spread.id)
    local last = other and other ~= number and read_flowing(other)
    local open = last
    if not open or open.lease ~= '' or open.started or tonumber(open.status) >= 4
      or open.flow ~= 'debounced' and open.flow ~= 'batched' then open = nil end
    local first = open and math.min(at, since) or since
    if spec.debounce then
      local due = since + spread.period
      if type(spread.max) == 'number' then due = math.min(due, first + spread.max) end
      if last and tonumber(other) > tonumber(number) then
        -- It was published before the last one, and comes late, whether that one has begun or not.
        if open then
          keep_flow(spread.id, first, other, 1, due, now, month)
          hold(other, open, 'debounced', due)
        end
        drop(number, run, now, ttl)
        return 'joined', last.id
      end
      if open then drop(other, open, now, ttl) end
      keep_flow(spread.id, first, number, 1, due, now, month)
      hold(number, run, 'debounced', due)
      return 'waits', digits(due)
    end
    if open and count < spread.size then
      local due = first + spread.within
      if count + 1 >= spread.size then due = math.min(due, since) end
      keep_flow(spread.id, first, other, count + 1, due, now, month)
      join(other, number, run.event)
      drop(number, run, now, ttl)
      hold(other, open, 'batched', due)
      return 'joined', open.id
    end
    local due = spread.size <= 1 and since or since + spread.within
    keep_flow(spread.id, since, number, 1, due, now, month)
    hold(number, run, 'batched', due)
    return 'waits', digits(due)
  end
  if since > clock then
    hold(number, run, 'delayed', since)
    return 'waits', digits(since)
  end
  return take_turn(number, run, spec.throttle, since, now)
end
