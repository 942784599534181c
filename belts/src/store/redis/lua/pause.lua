-- Pauses a function; answers 1 if it was not paused before. ARGV: now, function, whether this is sent again.
include common
if call('HSETNX', P .. 'paused', ARGV[2], ARGV[1]) == 1 then return 1 end
-- It may have been this very call.
return ARGV[3] ~= '' and call('HGET', P .. 'paused', ARGV[2]) == ARGV[1] and 1 or 0
