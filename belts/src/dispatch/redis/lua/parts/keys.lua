-- The stream, the delayed messages by their times, their bodies, and the messages that were put aside.
local stream, delayed, bodies, dead, call = KEYS[1], KEYS[2], KEYS[3], KEYS[4], redis.call
