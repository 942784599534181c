-- The functions of which nothing is claimed, and since when.
CREATE TABLE paused (
    function INTEGER PRIMARY KEY,
    paused_at INTEGER NOT NULL
) STRICT;
