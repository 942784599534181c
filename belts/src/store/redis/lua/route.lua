-- Applies flow options to a claimed run. ARGV: now, sender, time to live of finished runs, run, lease, the options. Answers what became of
-- it, as `apply_flow` does, or "lost".
include common
include flow
include stand
local now, ttl, number = ARGV[1], ARGV[3], ARGV[4]
if call('HGET', P .. 'run:' .. number, 'lease') ~= ARGV[5] then return { 'lost', '' } end
local spec = cjson.decode(ARGV[6])
local routed, more = apply_flow(number, spec, now, ttl, true)
if spec.lanes and routed ~= 'joined' and routed ~= 'gone' and stand(number, spec.lanes, now, true) then routed, more = 'waits', now end
if routed ~= 'starts' then redis.pcall('PUBLISH', P .. 'wake', ARGV[2]) end
return { routed, more or '' }
