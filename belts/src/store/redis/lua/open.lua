-- Looks whether every command of the scripts may be used, on a key of its own, and notes the format of the data.
-- Answers the format; or the command that failed, and why.
include common
local key = P .. 'probe'
local tries = {
  { 'DEL', key }, { 'SETNX', key, '1' }, { 'SET', key, '1', 'KEEPTTL' }, { 'GET', key }, { 'GETRANGE', key, '0', '0' }, { 'EXISTS', key }, { 'PEXPIRE', key, '60000' }, { 'PTTL', key },
  { 'PERSIST', key }, { 'UNLINK', key },
  { 'HSET', key, 'field', '1' }, { 'HSETNX', key, 'field', '1' }, { 'HINCRBY', key, 'field', '1' },
  { 'HGET', key, 'field' }, { 'HSTRLEN', key, 'field' }, { 'HMGET', key, 'field' }, { 'HGETALL', key }, { 'HEXISTS', key, 'field' },
  { 'HDEL', key, 'field' },
  { 'SADD', key, '1' }, { 'SMEMBERS', key }, { 'SISMEMBER', key, '1' }, { 'SREM', key, '1' }, { 'SPOP', key, '1' },
  { 'ZADD', key, '1', '1' }, { 'ZSCORE', key, '1' }, { 'ZCOUNT', key, '0', '0' }, { 'ZRANGE', key, '0', '0' },
  { 'ZRANGEBYSCORE', key, '0', '0' }, { 'ZREVRANGEBYSCORE', key, '0', '0' }, { 'ZRANGEBYLEX', key, '-', '+' }, { 'ZREM', key, '1' },
  { 'PUBLISH', P .. 'wake', '' },
  { 'DEL', key }, { 'RPUSH', key, '1' }, { 'LRANGE', key, '0', '0' },
}
for _, try in ipairs(tries) do
  local answer = redis.pcall(unpack(try))
  if type(answer) == 'table' and answer.err then return { try[1], answer.err } end
end
call('HSETNX', P .. 'meta', 'format', '1')
return call('HGET', P .. 'meta', 'format')
