-- Writes schedules, each if it is of the version that was read, and starts the runs of their ticks. Answers a digit for each: 1 where it
-- was written. ARGV: now, time to live of finished runs, sender, count; for each its name, the version that was read or nothing, its new
-- version or nothing where it is removed, function, due or nothing, value, count of starts, and of each start what `start` reads.
include common
include start
local now, ttl, written, wakes, at = ARGV[1], ARGV[2], '', false, 5
for _ = 1, tonumber(ARGV[4]) do
  local name, read, version, fn, due, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
  local starts, key = tonumber(ARGV[at + 6]), P .. 'schedule:' .. name
  local row = call('HMGET', key, 'version', 'function')
  local present = row[1] or ''
  at = at + 7
  if present ~= read then
    written = written .. (present == version and '1' or '0')
  else
    written = written .. '1'
    if row[2] then call('ZREM', P .. 'ticks:' .. row[2], name) end
    if version == '' then
      call('UNLINK', key)
      call('ZREM', P .. 'schedules', name)
    else
      call('HSET', key, 'version', version, 'function', fn, 'due', due, 'value', value)
      call('ZADD', P .. 'schedules', '0', name)
      if due ~= '' then call('ZADD', P .. 'ticks:' .. fn, due, name) end
    end
    for place = at, at + 9 * starts - 1, 9 do
      start(place, now, ttl)
      wakes = true
    end
  end
  at = at + 9 * starts
end
if wakes then redis.pcall('PUBLISH', P .. 'wake', ARGV[3]) end
return written
