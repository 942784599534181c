-- 3 is the state of a step that is completed and can be undone. An earlier version puts a run with one aside, for others.
CREATE INDEX steps_undoable ON steps (run) WHERE state = 3;
-- How a run ends once it is undone, as its status will be; 0 once it is.
ALTER TABLE runs ADD COLUMN undo INTEGER;
-- What its result was when that was decided: an earlier version that puts it aside writes another.
ALTER TABLE runs ADD COLUMN undo_result BLOB;
-- By when it was to end: that counts no more meanwhile.
ALTER TABLE runs ADD COLUMN undo_finish_by INTEGER;

-- A run that has something to undo goes on in place of its end, whichever version and for whatever reason ends it. What was decided
-- stands until the one that undoes it says that it is done.
CREATE TRIGGER runs_undone AFTER UPDATE OF finished_at ON runs
    WHEN NEW.status IN (5, 6) AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW.undo IS NOT 0
        AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3))
BEGIN
    UPDATE runs SET status = 2, finished_at = NULL, worker = NULL, keeps_time = 1,
        due_at = min(NEW.finished_at, coalesce((SELECT max(seen) FROM clock), NEW.finished_at)),
        undo = coalesce(NEW.undo, NEW.status), undo_result = iif(NEW.undo IS NULL, NEW.result, undo_result),
        undo_finish_by = coalesce(undo_finish_by, finish_by), finish_by = NULL
    WHERE number = NEW.number;
END;
DROP TRIGGER runs_told;
CREATE TRIGGER runs_told AFTER UPDATE OF finished_at ON runs
    WHEN NEW.parent IS NOT NULL AND NEW.finished_at IS NOT NULL
        AND NOT (NEW.status IN (5, 6) AND OLD.finished_at IS NULL AND NEW.undo IS NOT 0
            AND (NEW.undo IS NOT NULL OR EXISTS (SELECT 1 FROM steps WHERE run = NEW.number AND state = 3)))
BEGIN
    INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
    SELECT 'belts.ended:' || NEW.id || ':' || lower(hex(randomblob(8))), names.id, NEW.finished_at, NEW.id, 1,
        CAST('{"status":"' || CASE NEW.status WHEN 4 THEN 'completed' WHEN 5 THEN 'failed' ELSE 'cancelled' END
            || '","result":' || coalesce(CAST(NEW.result AS TEXT), 'null') || '}' AS BLOB)
    FROM names WHERE name = 'belts.ended';
END;
-- One that goes on after its end begins anew, whichever version has it go on.
CREATE TRIGGER runs_again AFTER UPDATE OF finished_at ON runs
    WHEN OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL AND OLD.undo = 0
BEGIN
    UPDATE runs SET undo = NULL, undo_result = NULL WHERE number = NEW.number;
END;
