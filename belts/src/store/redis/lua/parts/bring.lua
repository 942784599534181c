include payload
-- The first event of each wait, and more of it as far as there is room; and the room that is left.
local function bring(found, room)
  local arrivals, full = {}, nil
  for _, one in ipairs(found) do
    local text = one.seq ~= full and (one.text or read_text(one.id))
    if text then
      local bytes = one.is_first and 0 or payload_of(text)
      if bytes > room then
        full = one.seq
      else
        room = room - bytes
        local filled = #arrivals
        arrivals[filled + 1], arrivals[filled + 2], arrivals[filled + 3], arrivals[filled + 4] = one.seq, one.place, one.id, text
      end
    end
  end
  return arrivals, room
end
