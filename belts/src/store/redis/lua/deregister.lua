-- Ends a session. Answers "again" where it must be called again. ARGV: now, sender, worker.
include common
include session
local is_done = end_session(ARGV[3], ARGV[1])
tell(ARGV[2])
return is_done and 'done' or 'again'
