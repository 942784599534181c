-- What flow options keep of their keys: of a rate, when the next one is on time, in microseconds; of what is open, since when.
CREATE TABLE flow_keys (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    run TEXT,
    count INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX flow_keys_until ON flow_keys (until);
-- What flow options have made of a run; NULL where nobody has applied any. And the singleton that it is one of.
ALTER TABLE runs ADD COLUMN flow TEXT;
ALTER TABLE runs ADD COLUMN single TEXT;
CREATE INDEX runs_single ON runs (single, number) WHERE single IS NOT NULL AND finished_at IS NULL;
-- The events that a run has beside its own.
CREATE TABLE run_events (
    run INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (run, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_events_event ON run_events (event);
-- They stay as long as their run, whoever removes the others that they have started.
CREATE TRIGGER events_joined BEFORE DELETE ON events WHEN EXISTS (SELECT 1 FROM run_events WHERE event = OLD.number) BEGIN
    SELECT RAISE(IGNORE);
END;
CREATE TRIGGER runs_joined AFTER DELETE ON runs WHEN OLD.flow IS NOT NULL BEGIN
    UPDATE events SET idle = iif(place >= 0, NULL, 1), spent = iif(place >= 0, 1, NULL)
    WHERE number IN (SELECT event FROM run_events WHERE run = OLD.number)
        AND NOT EXISTS (SELECT 1 FROM runs WHERE event = events.number)
        AND NOT EXISTS (SELECT 1 FROM run_events WHERE event = events.number AND run <> OLD.number);
    DELETE FROM run_events WHERE run = OLD.number;
END;
-- Whatever ends a run of a singleton, and whichever version: the next in line goes on. One that is undone first has not ended.
CREATE TRIGGER runs_next AFTER UPDATE OF finished_at ON runs
    WHEN NEW.single IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
        AND NOT (NEW.status IN (5, 6) AND NEW.undo IS NOT 0
            AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3)))
BEGIN
    UPDATE runs SET due_at = NEW.finished_at
    WHERE number = (SELECT number FROM runs WHERE single = NEW.single AND finished_at IS NULL ORDER BY number LIMIT 1)
        AND flow = 'queues' AND due_at IS NULL AND worker IS NULL AND started_at IS NULL;
END;
CREATE TRIGGER runs_next_gone AFTER DELETE ON runs WHEN OLD.single IS NOT NULL AND OLD.finished_at IS NULL BEGIN
    UPDATE runs SET due_at = (SELECT coalesce(max(seen), 0) FROM clock)
    WHERE number = (SELECT number FROM runs WHERE single = OLD.single AND finished_at IS NULL ORDER BY number LIMIT 1)
        AND flow = 'queues' AND due_at IS NULL AND worker IS NULL AND started_at IS NULL;
END;
