-- Whether a delivery is still its receiver's: nobody has been given the message since.
local function is_held(group, id, times, consumer)
  local pending = call('XPENDING', stream, group, id, id, 1, consumer)[1]
  return pending and tostring(pending[4]) == times
end
