-- The runs whose time is over. Answers when that of the next one is, or nothing; and of each run its number, its limits, and whether it has
-- started. ARGV: now, the most runs.
include common
include times
-- Whether a run is where it belongs; if not, it is put there.
local function stands(number, score)
  local run = redis.pcall('HMGET', P .. 'run:' .. number, 'status', 'started', 'limits', 'id', 'function', 'lease')
  if not run[1] or not run[3] or not run[4] or not run[5] or not run[6] or tonumber(run[1]) >= 4 then
    -- An earlier version has ended it, or it is gone.
    call('ZREM', P .. 'times', number)
    return nil
  end
  if over_at(run[3], run[2]) ~= tonumber(score) then
    keep_time(number, run[3], run[2])
    return nil
  end
  return run
end
-- More of these are left to the next call: it comes at once where the first seems to be over.
for _ = 1, 1000 do
  local first = call('ZRANGE', P .. 'times', '0', '0', 'WITHSCORES')
  if not first[1] then return { false, {} } end
  if stands(first[1], first[2]) then break end
end
local found = {}
local over = call('ZRANGEBYSCORE', P .. 'times', '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', '0', ARGV[2])
for place = 1, #over, 2 do
  local run = stands(over[place], over[place + 1])
  if run then found[#found + 1] = { over[place], run[3], run[2] and '1' or '0' } end
end
local next_over = call('ZRANGE', P .. 'times', '0', '0', 'WITHSCORES')[2]
return { next_over and string.format('%d', tonumber(next_over)) or false, found }
