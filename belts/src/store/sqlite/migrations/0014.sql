-- The functions whose cancels are handled, as the session said that registered last.
CREATE TABLE cancel_handled (function INTEGER PRIMARY KEY) STRICT;
INSERT OR IGNORE INTO names (name) VALUES ('');
-- Set while a run is undone, or handed on, that had not started. Until it ends it counts as started, so that its `start_within` is over
-- and it collects no more events.
ALTER TABLE runs ADD COLUMN undo_unstarted INTEGER;

-- As before, and so does a cancelled run of such a function. An earlier version, to which the journal alone says that a run is undone,
-- finds an entry in it that says so, and cannot write another in its place.
DROP TRIGGER runs_undone;
CREATE TRIGGER runs_undone AFTER UPDATE OF finished_at ON runs
    WHEN NEW.status IN (5, 6) AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW.undo IS NOT 0
        AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3)
            OR NEW.status = 6 AND EXISTS (SELECT 1 FROM cancel_handled WHERE function = NEW.function))
BEGIN
    INSERT INTO steps (run, seq, path, kind, state, type_name, attempts, started_at, finished_at, value)
    -- Encrypted stores keep entries of their own from 1 << 26 on.
    SELECT NEW.number, (SELECT coalesce(max(seq), -1) + 1 FROM steps WHERE run = NEW.number AND seq < 67108864),
        '~cancelled', 8, 0, names.id, 2147483647, NEW.finished_at, NEW.finished_at, x''
    FROM names
    WHERE name = '' AND NOT EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND (state = 3 OR kind = 8));
    UPDATE runs SET status = 2, finished_at = NULL, worker = NULL, keeps_time = 1,
        due_at = min(NEW.finished_at, coalesce((SELECT max(seen) FROM clock), NEW.finished_at)),
        undo = coalesce(NEW.undo, NEW.status), undo_result = iif(NEW.undo IS NULL, NEW.result, undo_result),
        undo_finish_by = coalesce(undo_finish_by, finish_by), finish_by = NULL,
        undo_unstarted = iif(started_at IS NULL, 1, undo_unstarted), started_at = coalesce(started_at, NEW.finished_at)
    WHERE number = NEW.number;
END;
CREATE TRIGGER runs_unstarted AFTER UPDATE OF finished_at ON runs
    WHEN NEW.undo_unstarted = 1 AND NEW.undo = 0 AND NEW.finished_at IS NOT NULL
BEGIN
    UPDATE runs SET started_at = NULL, undo_unstarted = NULL WHERE number = NEW.number;
END;
-- One that goes on after its end begins anew, whichever version has it go on.
DROP TRIGGER runs_again;
CREATE TRIGGER runs_again AFTER UPDATE OF finished_at ON runs
    WHEN OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL AND OLD.undo = 0
BEGIN
    DELETE FROM steps WHERE run = NEW.number AND kind = 8 AND path = '~cancelled';
    UPDATE runs SET undo = NULL, undo_result = NULL WHERE number = NEW.number;
END;
DROP TRIGGER runs_told;
CREATE TRIGGER runs_told AFTER UPDATE OF finished_at ON runs
    WHEN NEW.parent IS NOT NULL AND NEW.finished_at IS NOT NULL
        AND NOT (NEW.status IN (5, 6) AND OLD.finished_at IS NULL AND NEW.undo IS NOT 0
            AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3)
            OR NEW.status = 6 AND EXISTS (SELECT 1 FROM cancel_handled WHERE function = NEW.function)))
BEGIN
    INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
    SELECT 'belts.ended:' || NEW.id || ':' || lower(hex(randomblob(8))), names.id, NEW.finished_at, NEW.id, 1,
        CAST('{"status":"' || CASE NEW.status WHEN 4 THEN 'completed' WHEN 5 THEN 'failed' ELSE 'cancelled' END
            || '","result":' || coalesce(CAST(NEW.result AS TEXT), 'null') || '}' AS BLOB)
    FROM names WHERE name = 'belts.ended';
END;
DROP TRIGGER runs_next;
CREATE TRIGGER runs_next AFTER UPDATE OF finished_at ON runs
    WHEN NEW.single IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
        AND NOT (NEW.status IN (5, 6) AND NEW.undo IS NOT 0
            AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3)
            OR NEW.status = 6 AND EXISTS (SELECT 1 FROM cancel_handled WHERE function = NEW.function)))
BEGIN
    UPDATE runs SET due_at = NEW.finished_at
    WHERE number = (SELECT number FROM runs WHERE single = NEW.single AND finished_at IS NULL ORDER BY number LIMIT 1)
        AND flow = 'queues' AND due_at IS NULL AND worker IS NULL AND started_at IS NULL;
END;
