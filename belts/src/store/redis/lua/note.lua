-- Keeps what somebody did to a run; answers 1 if there is such a run. ARGV: run id, note, the most notes, whether this is sent again.
include common
include find
local number = find(ARGV[1])
local key, notes = P .. 'run:' .. (number or ''), {}
if not number or call('EXISTS', key) == 0 then return 0 end
for note in string.gmatch(call('HGET', key, 'notes') or '', '[^\n]+') do notes[#notes + 1] = note end
if ARGV[4] ~= '' and notes[#notes] == ARGV[2] then return 1 end
notes[#notes + 1] = ARGV[2]
local first = math.max(1, #notes - tonumber(ARGV[3]) + 1)
call('HSET', key, 'notes', table.concat(notes, '\n', first))
return 1
