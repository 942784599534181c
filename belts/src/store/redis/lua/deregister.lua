-- Ends a session. Answers "again" where it must be called again. ARGV: now, sender, worker.
local is_done = end_session(ARGV[3], ARGV[1])
if released > 0 then wake(ARGV[2]) end
return is_done and 'done' or 'again'
