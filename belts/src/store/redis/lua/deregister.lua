-- Ends a session that takes its leave. Answers "again" where it must be called again. ARGV: now, sender, worker.
include common
include session
include settle
local is_done = end_session(ARGV[3], ARGV[1], false)
if is_done then
  settle(ARGV[1])
  if call('EXISTS', P .. 'awaited') == 1 then
    include awaits
    settle_awaits(ARGV[1])
  end
end
tell(ARGV[2])
return is_done and 'done' or 'again'
