-- KEYS[1] is what every key of the store begins with; its braces put all keys into one slot of a cluster.
local P, call = KEYS[1], redis.call
