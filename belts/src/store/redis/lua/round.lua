-- Whether a call was sent before its session gave back the leases of which it never heard. A connection that broke may
-- have held a call back until now, and nobody would hear of the leases that it brings.
local function is_late(round, sent)
  return round and tonumber(sent) < tonumber(round)
end
