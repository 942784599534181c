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

-- What runs of each session's functions may wait for. Its rows come and go with those in `wants`.
CREATE TABLE awaits (
    session INTEGER NOT NULL,
    function INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    PRIMARY KEY (session, function, event_type)
) STRICT, WITHOUT ROWID;
-- All of these, and what runs that are not over wait for beyond them. Events of these types get a place.
CREATE TABLE awaited (
    event_type INTEGER NOT NULL,
    function INTEGER NOT NULL,
    PRIMARY KEY (event_type, function)
) STRICT, WITHOUT ROWID;
-- In one row, the last place that was given: none is given twice. And the last event of an earlier version that was looked at.
CREATE TABLE places (
    last INTEGER NOT NULL,
    told INTEGER NOT NULL
) STRICT;
INSERT INTO places (last, told) SELECT 0, coalesce(max(number), 0) FROM events;
-- The number of an event may be used again once the last ones are gone.
CREATE TRIGGER events_go AFTER DELETE ON events WHEN OLD.number <= (SELECT told FROM places) BEGIN
    UPDATE places SET told = min(told, (SELECT coalesce(max(number), 0) FROM events));
END;
-- Events of earlier versions have no digest.
CREATE INDEX events_untold ON events (number) WHERE digest IS NULL;
-- When a delayed event becomes visible. (Not `due_at`: earlier versions join this table with `runs`.)
ALTER TABLE events ADD COLUMN visible_at INTEGER;
-- Where it stands among the events that waits may find: NULL where nobody may wait for its type, 0 until a delayed one falls due, and
-- below zero for one that starts a single function, which no wait finds.
ALTER TABLE events ADD COLUMN place INTEGER;
-- 1 where an event that has a place, or will have one, is needed by no run of its own; its `idle` is NULL then.
ALTER TABLE events ADD COLUMN spent INTEGER;
CREATE INDEX events_placed ON events (event_type, correlation_key, place) WHERE place > 0;
CREATE INDEX events_falling_due ON events (visible_at) WHERE place = 0;
CREATE INDEX events_delayed ON events (event_type, visible_at) WHERE visible_at IS NOT NULL AND place IS NULL;
CREATE INDEX events_spent ON events (event_type, place) WHERE spent IS NOT NULL;
-- 1 where it may look back for events, or is suspended until something arrives, and for all runs of earlier versions.
ALTER TABLE runs ADD COLUMN looks_back INTEGER DEFAULT 1;
-- 1 where it goes on at its time and no earlier, whatever arrives.
ALTER TABLE runs ADD COLUMN keeps_time INTEGER;
CREATE INDEX runs_looking ON runs (function, event) WHERE looks_back IS NOT NULL AND finished_at IS NULL;
-- What it waits for beside a time, as JSON.
ALTER TABLE steps ADD COLUMN wait TEXT;
-- The steps that wait, by what they wait for, and the place behind which they look.
CREATE TABLE waits (
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    correlation_key TEXT,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (run, seq, event_type)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_open ON waits (event_type, correlation_key);
-- Triggers stand where nothing is in a hurry: they cost each statement on their tables that may fire them.
CREATE TRIGGER waits_go AFTER DELETE ON runs WHEN OLD.looks_back IS NOT NULL BEGIN
    DELETE FROM waits WHERE run = OLD.number;
END;
-- A purge that finds no run of an event leaves it to those who may look back to it. Whoever removes it takes its place away first.
CREATE TRIGGER events_stay BEFORE DELETE ON events WHEN OLD.place >= 0 BEGIN
    UPDATE events SET spent = 1 WHERE number = OLD.number;
    SELECT RAISE(IGNORE);
END;
