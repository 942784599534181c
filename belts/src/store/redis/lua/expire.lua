-- Ends runs whose time is over, each with its result, if they have started or not as that says. Answers the ids of those that have ended.
-- ARGV: now, sender, ticket, time to live of finished runs; of each run its number, whether it has started, and its result.
include common
include family
include times
local now, ticket, ended = ARGV[1], ARGV[3], {}
for at = 5, #ARGV, 3 do
  local number = ARGV[at]
  local key = P .. 'run:' .. number
  local run = redis.pcall('HMGET', key, 'status', 'lease', 'function', 'apart', 'ticket', 'parent', 'starts', 'id', 'started', 'limits', 'undo')
  if run[11] then
    -- Decided, and perhaps by this very request.
    if run[5] == ticket then ended[#ended + 1] = run[8] end
  elseif run[1] and run[8] and run[10] then
    local over, has_started = over_at(run[10], run[9]), run[9] and '1' or '0'
    if tonumber(run[1]) >= 4 then
      -- The ticket tells whether this very request, sent again, has done it.
      if run[5] == ticket then ended[#ended + 1] = run[8] end
    elseif over and over <= tonumber(now) and has_started == ARGV[at + 1] then
      call('HDEL', key, 'aside')
      call('HSET', P .. 'steps:' .. number, 'result', ARGV[at + 2])
      cancel(number, run, now, ARGV[4])
      call('HSET', key, 'ticket', ticket)
      if run[6] or run[7] then end_family(number, now, ARGV[4]) end
      ended[#ended + 1] = run[8]
    end
  end
end
if #ended > 0 then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return ended
