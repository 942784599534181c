-- The server's time in milliseconds: the clocks of senders and receivers do not matter.
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
