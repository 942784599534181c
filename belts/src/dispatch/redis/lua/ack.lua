-- Acknowledges messages of a group: group, then their ids.
include keys
include done
for i = 2, #ARGV do done(ARGV[1], ARGV[i]) end
return 0
