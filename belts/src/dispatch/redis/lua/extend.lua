-- Begins the visibility of deliveries anew that are still their receiver's: group, then for each its id, how often the
-- group was given it, and its consumer.
include keys
include held
local group = ARGV[1]
for i = 2, #ARGV, 3 do
  local id, times, consumer = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if is_held(group, id, times, consumer) then
    call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'JUSTID')
  end
end
return 0
