-- Ends the pause of a function; answers 1 if there was one. ARGV: sender, function, whether this is sent again.
include common
local resumed = call('HDEL', P .. 'paused', ARGV[2])
-- It may have been this very call.
if ARGV[3] ~= '' then resumed = 1 end
if resumed == 1 then redis.pcall('PUBLISH', P .. 'wake', ARGV[1]) end
return resumed
