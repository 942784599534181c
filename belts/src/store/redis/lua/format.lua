-- Answers the format of the data, without a write.
include common
return call('HGET', P .. 'meta', 'format') or '1'
