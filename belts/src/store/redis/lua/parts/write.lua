include attempts
-- Writes an entry, unless it is behind the one that is there: a copy that comes late, since it was sent again meanwhile,
-- must not undo what came after it. Of the states with which an entry begins, 1 waits.
local function write(steps, seq, entry)
  if call('HSETNX', steps, seq, entry) == 1 then return end
  local present = call('HGET', steps, seq)
  local waits, waited = string.sub(entry, 1, 1) == '1', string.sub(present, 1, 1) == '1'
  if (waits and not waited) or attempts(entry) < attempts(present) then return end
  call('HSET', steps, seq, entry)
end
