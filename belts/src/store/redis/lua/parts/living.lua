-- The functions that a living session has. Of what sessions of an earlier version have, all is said that anybody wants.
local function living_functions(now)
  local living = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'workers', '(' .. now, '+inf')) do
    local text = call('HGET', P .. 'wants', id)
    local is_json, functions = pcall(cjson.decode, text or 'null')
    if text and is_json and type(functions) == 'table' then
      for fn in pairs(functions) do living[fn] = true end
    elseif not text then
      for _, fn in ipairs(call('SMEMBERS', P .. 'subscribed')) do living[fn] = true end
    end
  end
  return living
end
