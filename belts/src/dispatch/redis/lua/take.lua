-- Takes messages for a receiver: group, consumer, the most, the visibility in milliseconds, and whether to look for what
-- others have left. Answers for each its id, its fields and how often the group was given it; then in how many
-- milliseconds a delayed message is due, empty if there is none.
include keys
include now
include due
local group, consumer, most, visibility = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local wait, taken = move_due(), {}
if ARGV[5] ~= '' then
  for _, pending in ipairs(call('XPENDING', stream, group, 'IDLE', visibility, '-', '+', most)) do
    local id, times = pending[1], pending[4] + 1
    local entry = call('XRANGE', stream, id, id)[1]
    if entry then
      call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'RETRYCOUNT', times, 'JUSTID')
      taken[#taken + 1] = { id, entry[2], times }
    else
      -- Somebody has deleted it.
      call('XACK', stream, group, id)
    end
  end
end
if #taken < most then
  local read = call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most - #taken, 'STREAMS', stream, '>')
  if read then
    for _, entry in ipairs(read[1][2]) do taken[#taken + 1] = { entry[1], entry[2], 1 } end
  end
end
return { taken, tostring(wait) }
