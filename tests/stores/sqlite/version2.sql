-- A database as the version of the schema before the present one left it: `f` (1) listens for `t` (2).
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE subscriptions (
    event_type INTEGER NOT NULL, function INTEGER NOT NULL, PRIMARY KEY (event_type, function)
) STRICT, WITHOUT ROWID;
CREATE TABLE workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, lease_until INTEGER NOT NULL, lease INTEGER NOT NULL
) STRICT;
CREATE TABLE events (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event_type INTEGER NOT NULL, published_at INTEGER NOT NULL,
    correlation_key TEXT, idle INTEGER, payload BLOB NOT NULL
) STRICT;
CREATE INDEX events_idle ON events (published_at) WHERE idle IS NOT NULL;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, function INTEGER NOT NULL, event INTEGER NOT NULL,
    status INTEGER NOT NULL, due_at INTEGER, worker INTEGER, token INTEGER NOT NULL, failed_attempts INTEGER NOT NULL,
    retries INTEGER, started_at INTEGER, finished_at INTEGER, result BLOB
) STRICT;
CREATE INDEX runs_event ON runs (event);
CREATE INDEX runs_due ON runs (function, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX runs_worker ON runs (worker) WHERE worker IS NOT NULL;
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL;
CREATE TABLE steps (
    run INTEGER NOT NULL, seq INTEGER NOT NULL, path TEXT NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL,
    type_name INTEGER NOT NULL, attempts INTEGER NOT NULL, due_at INTEGER, started_at INTEGER NOT NULL,
    finished_at INTEGER, value BLOB NOT NULL, PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
ALTER TABLE events ADD COLUMN traceparent TEXT;
INSERT INTO names VALUES (1, 'f'), (2, 't'), (3, '()');
INSERT INTO subscriptions VALUES (2, 1);
INSERT INTO workers VALUES (1, NULL, 1700000030000, 30000);
INSERT INTO events VALUES
    (1, 'waits', 2, 1700000000000, NULL, NULL, x'7b7d', NULL),
    (2, 'driven', 2, 1700000000000, NULL, NULL, x'7b7d', NULL),
    (3, 'done', 2, 1700000000000, NULL, NULL, x'7b7d', NULL);
INSERT INTO runs VALUES
    (1, 'run-waits', 1, 1, 0, 1700000000000, NULL, 17, 0, NULL, NULL, NULL, NULL),
    (2, 'run-driven', 1, 2, 1, NULL, 1, 18, 0, NULL, 1700000000000, NULL, NULL),
    (3, 'run-done', 1, 3, 4, NULL, NULL, 19, 0, NULL, 1700000000000, 1700000000001, x'7b7d');
INSERT INTO steps VALUES (2, 0, 'one', 0, 0, 3, 1, NULL, 1700000000000, 1700000000001, x'7b7d');
PRAGMA application_id = 1650814068;
PRAGMA user_version = 2;
