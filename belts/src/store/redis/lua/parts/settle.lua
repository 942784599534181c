-- Looks again at what the sessions want together, as `wants.rs` does, now that one has come or has ended. `wants` has what each
-- one wants or wanted, as JSON; `wanting` those that live or fell silent, with the end of their lease. Publishing reads the union.
local function settle(now)
  local all, known = {}, {}
  local rows = call('HGETALL', P .. 'wants')
  for place = 1, #rows, 2 do
    local id = rows[place]
    local is_json, functions = pcall(cjson.decode, rows[place + 1])
    known[id] = true
    if is_json and type(functions) == 'table' then
      all[id] = { functions = functions, living = call('ZSCORE', P .. 'wanting', id), text = rows[place + 1] .. (call('HGET', P .. 'awaits', id) or '') }
    end
  end

  -- Sessions of a version that had no such rows are one together, which falls silent with the last of them. Where none of them is
  -- left, nobody knows who wanted what: each function has an ended row of its own, until somebody speaks for that function.
  local is_first, is_mixed = call('HSETNX', P .. 'meta', 'wants', '1') == 1, false
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '(' .. now, '+inf')) do is_mixed = is_mixed or not known[id] end
  if is_first or is_mixed then
    local adopted = {}
    for _, fn in ipairs(call('SMEMBERS', P .. 'subscribed')) do
      local id = is_mixed and '0' or '0 ' .. fn
      adopted[id] = adopted[id] or {}
      adopted[id][fn] = call('SMEMBERS', P .. 'function:' .. fn)
    end
    for id, functions in pairs(adopted) do
      local text = cjson.encode(functions)
      call('HSET', P .. 'wants', id, text)
      if is_mixed then call('ZADD', P .. 'wanting', now, id) end
      all[id] = { functions = functions, living = is_mixed, text = text }
    end
  end

  local spoken_for, wanted, twins = {}, {}, {}
  for _, one in pairs(all) do
    if one.living then
      for fn in pairs(one.functions) do spoken_for[fn] = true end
    end
  end
  for id, one in pairs(all) do
    local falls = false
    if not one.living then
      -- Nor need two ended ones stand that wanted the same.
      falls = next(one.functions) == nil or twins[one.text]
      twins[one.text] = true
      for fn in pairs(one.functions) do falls = falls or spoken_for[fn] end
    end
    if falls then
      call('HDEL', P .. 'wants', id)
      call('HDEL', P .. 'awaits', id)
    else
      for fn, types in pairs(one.functions) do
        wanted[fn] = wanted[fn] or {}
        for _, event_type in ipairs(type(types) == 'table' and types or {}) do wanted[fn][event_type] = true end
      end
    end
  end

  for _, fn in ipairs(call('SMEMBERS', P .. 'subscribed')) do
    local types = wanted[fn] or {}
    for _, old in ipairs(call('SMEMBERS', P .. 'function:' .. fn)) do
      if not types[old] then
        call('SREM', P .. 'function:' .. fn, old)
        call('ZREM', P .. 'type:' .. old, fn)
      end
    end
    if next(types) == nil then call('SREM', P .. 'subscribed', fn) end
  end
  for fn, types in pairs(wanted) do
    for event_type in pairs(types) do
      call('SADD', P .. 'function:' .. fn, event_type)
      call('ZADD', P .. 'type:' .. event_type, 0, fn)
      call('SADD', P .. 'subscribed', fn)
    end
  end
end
