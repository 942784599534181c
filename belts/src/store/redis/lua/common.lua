-- Begins every script. KEYS[1] is what every key of the store begins with; its braces put all keys into one slot of a
-- cluster. A script that fails half-way is not rolled back, so scripts look at everything before they write anything.
local P, call = KEYS[1], redis.call
-- The version of the layout; the client knows the same number.
local FORMAT = '1'

-- Redis itself would write a big number as "1e+15".
local function text(number)
  return string.format('%.0f', number)
end

-- Tells other processes that a run may be due. It is a hint: without the right to publish, their sweep finds the run.
local function wake(from)
  redis.pcall('PUBLISH', P .. 'wake', from)
end
