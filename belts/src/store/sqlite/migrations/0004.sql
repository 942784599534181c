-- The id of the run that started it, how many are above it, and 1 where it ends with that one.
ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN depth INTEGER;
ALTER TABLE runs ADD COLUMN attached INTEGER;
CREATE INDEX runs_started ON runs (parent, number) WHERE parent IS NOT NULL;
CREATE INDEX runs_attached ON runs (parent) WHERE attached = 1 AND finished_at IS NULL;
-- How many times it was rerun from a step.
ALTER TABLE runs ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- The end of a run that another one has started is told by an event, whichever version ends it. It has no digest, so it is given its
-- place as the events of earlier versions are.
INSERT OR IGNORE INTO names (name) VALUES ('belts.ended');
CREATE TRIGGER runs_told AFTER UPDATE OF finished_at ON runs
    WHEN NEW.parent IS NOT NULL AND NEW.finished_at IS NOT NULL
BEGIN
    INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
    SELECT 'belts.ended:' || NEW.id || ':' || lower(hex(randomblob(8))), names.id, NEW.finished_at, NEW.id, 1,
        CAST('{"status":"' || CASE NEW.status WHEN 4 THEN 'completed' WHEN 5 THEN 'failed' ELSE 'cancelled' END
            || '","result":' || coalesce(CAST(NEW.result AS TEXT), 'null') || '}' AS BLOB)
    FROM names WHERE name = 'belts.ended';
END;
CREATE INDEX events_told ON events (event_type, correlation_key) WHERE digest IS NULL;
-- One that goes on after its end has not ended, whichever version has it go on. Whoever removes an event takes its place away first.
CREATE TRIGGER runs_untold AFTER UPDATE OF finished_at ON runs
    WHEN OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL AND NEW.parent IS NOT NULL
BEGIN
    UPDATE events SET place = NULL, spent = NULL WHERE digest IS NULL AND correlation_key = NEW.id
        AND event_type = (SELECT id FROM names WHERE name = 'belts.ended');
    DELETE FROM events WHERE digest IS NULL AND correlation_key = NEW.id
        AND event_type = (SELECT id FROM names WHERE name = 'belts.ended');
END;
-- One that was removed before it had ended was skipped.
CREATE TRIGGER runs_skipped AFTER DELETE ON runs WHEN OLD.parent IS NOT NULL AND OLD.finished_at IS NULL BEGIN
    INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
    SELECT 'belts.ended:' || OLD.id || ':' || lower(hex(randomblob(8))), names.id,
        (SELECT coalesce(max(seen), 0) FROM clock), OLD.id, 1, CAST('{"status":"skipped","result":null}' AS BLOB)
    FROM names WHERE name = 'belts.ended';
END;
