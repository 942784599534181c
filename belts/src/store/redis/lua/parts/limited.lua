-- Says whether any function has limits, where whoever publishes looks anyway.
local function note_limited()
  if call('EXISTS', P .. 'limits') == 1 then
    call('HSET', P .. 'meta', 'limited', '1')
  else
    call('HDEL', P .. 'meta', 'limited')
  end
end
