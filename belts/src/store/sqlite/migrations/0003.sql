-- What each session wants to be started for; `subscriptions` is what they want together. The rows of an ended session stay
-- until a living one speaks for its program. An `event_type` of 0 says that the function listens for nothing.
CREATE TABLE wants (
    session INTEGER NOT NULL,
    function INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    PRIMARY KEY (session, function, event_type)
) STRICT, WITHOUT ROWID;
-- Nobody knows who wanted what there was before. So each function has an ended session of its own, with a number below zero, that
-- stands until somebody speaks for that function. For those that still live see the next column.
INSERT INTO wants SELECT -function, function, event_type FROM subscriptions;
-- NULL for a session of an earlier version, which wants whatever is in `subscriptions`.
ALTER TABLE workers ADD COLUMN wants_known INTEGER;
-- An earlier version replaces the rows of its functions when it registers again; so only those that are marked may go.
ALTER TABLE subscriptions ADD COLUMN fallen INTEGER;
CREATE TRIGGER subscriptions_stay BEFORE DELETE ON subscriptions WHEN OLD.fallen IS NULL BEGIN
    SELECT RAISE(IGNORE);
END;

-- The latest time at which a worker was heard of, in one row.
CREATE TABLE clock (
    seen INTEGER NOT NULL
) STRICT;

-- NULL for events of earlier versions.
ALTER TABLE events ADD COLUMN digest BLOB;

-- 0 for runs that an earlier version wrote, until a claim fills it in.
ALTER TABLE runs ADD COLUMN event_type INTEGER NOT NULL DEFAULT 0;
-- How often in a row a worker died with it, and how much was recorded at the last of these times.
ALTER TABLE runs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN crash_progress INTEGER NOT NULL DEFAULT 0;
-- What people did to it, as JSON.
ALTER TABLE runs ADD COLUMN notes TEXT;
DROP INDEX runs_due;
CREATE INDEX runs_waiting ON runs (function, event_type, due_at) WHERE due_at IS NOT NULL;
-- 3 is the status of a run that was asked to stop after a step.
CREATE INDEX runs_stopped ON runs (function) WHERE status = 3;

-- The oldest version of the tables whose processes work with these, in one row.
CREATE TABLE schema_oldest (
    version INTEGER NOT NULL
) STRICT;
