-- Words that come again and again: function ids, event types, type names. Rows are never changed or removed.
CREATE TABLE names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE subscriptions (
    event_type INTEGER NOT NULL,
    function INTEGER NOT NULL,
    PRIMARY KEY (event_type, function)
) STRICT, WITHOUT ROWID;

-- Sessions. Their numbers are never used twice, since lock files and leases carry them.
CREATE TABLE workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    lease_until INTEGER NOT NULL,
    lease INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    event_type INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    correlation_key TEXT,
    -- 1 where no run needs it any more, and NULL otherwise.
    idle INTEGER,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX events_idle ON events (published_at) WHERE idle IS NOT NULL;

CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function INTEGER NOT NULL,
    event INTEGER NOT NULL,
    status INTEGER NOT NULL,
    -- Set only while it waits for a worker.
    due_at INTEGER,
    -- Set only while a worker has its lease.
    worker INTEGER,
    token INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    retries INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    result BLOB
) STRICT;
CREATE INDEX runs_event ON runs (event);
CREATE INDEX runs_due ON runs (function, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX runs_worker ON runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE steps (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    type_name INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    value BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
