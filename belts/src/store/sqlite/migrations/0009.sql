-- What the clock starts, and when a worker is to look at it.
CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    function INTEGER NOT NULL,
    due_at INTEGER,
    version INTEGER NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX schedules_due ON schedules (due_at, function) WHERE due_at IS NOT NULL;
