local ENDED = 'belts.ended'
-- The event that tells of the end of a run. `told:<run id>` has its number, as long as it is there: also when the run is gone.
local function told_as(id, told) return ENDED .. ':' .. id .. ':' .. told end
