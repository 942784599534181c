-- Every function that somebody wants, that has runs which have not finished, or that is paused: its id, event types, whether it lives,
-- how many runs, and since when it is paused.
-- ARGV: now, the most runs that are counted of each.
include common
include living
include unfinished
local living, driven, seen, all = living_functions(ARGV[1]), driven_runs(), {}, {}
local function add(fn)
  if seen[fn] then return end
  seen[fn] = true
  local types = call('SMEMBERS', P .. 'function:' .. fn)
  local count = #unfinished_runs(fn, driven, tonumber(ARGV[2]))
  local paused = call('HGET', P .. 'paused', fn)
  if #types > 0 or living[fn] or count > 0 or paused then
    all[#all + 1] = { fn, types, living[fn] and 1 or 0, count, paused }
  end
end
for _, fn in ipairs(call('SMEMBERS', P .. 'functions')) do add(fn) end
for _, fn in ipairs(call('SMEMBERS', P .. 'subscribed')) do add(fn) end
for _, fn in ipairs(call('HKEYS', P .. 'paused')) do add(fn) end
return all
