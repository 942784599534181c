-- What a run counts for while it is leased: pools with keys, at most two. How much earlier than due it stands in its line, in
-- milliseconds; NULL where it stands in none. And its place in the line while it is in it, as a time.
ALTER TABLE runs ADD COLUMN lane_a TEXT;
ALTER TABLE runs ADD COLUMN lane_b TEXT;
ALTER TABLE runs ADD COLUMN shift INTEGER;
ALTER TABLE runs ADD COLUMN line INTEGER;
ALTER TABLE runs ADD COLUMN line_at INTEGER;
-- A place is a lease.
CREATE INDEX runs_lane_a ON runs (lane_a) WHERE lane_a IS NOT NULL AND worker IS NOT NULL;
CREATE INDEX runs_lane_b ON runs (lane_b) WHERE lane_b IS NOT NULL AND worker IS NOT NULL;
CREATE INDEX runs_line ON runs (line, line_at, number)
    WHERE line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL;
-- The runs of a function that are due and count for the same. A line with nobody in it has no row here, or loses it when it is visited.
CREATE TABLE lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    function INTEGER NOT NULL,
    event_type INTEGER NOT NULL,
    lane_a TEXT NOT NULL,
    lane_b TEXT NOT NULL,
    -- Its place in the round of the function's lines, in microseconds.
    at INTEGER NOT NULL,
    -- The lane that was full when it was visited last, with its pool and the limit by which it was. NULL where it is to be visited.
    parked TEXT,
    parked_pool TEXT,
    parked_limit INTEGER,
    UNIQUE (function, event_type, lane_a, lane_b)
) STRICT;
CREATE INDEX lines_ready ON lines (function, event_type, at) WHERE parked IS NULL;
CREATE INDEX lines_parked ON lines (parked, function, event_type, at) WHERE parked IS NOT NULL;
CREATE INDEX lines_limit ON lines (function, parked_pool, parked_limit) WHERE parked IS NOT NULL;
-- Lanes of which a place has become free since lines were parked there.
CREATE TABLE freed_lanes (lane TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
-- The last turn of any line.
CREATE TABLE line_turn (last INTEGER NOT NULL) STRICT;
INSERT INTO line_turn (last) VALUES (0);
-- Whatever ends a lease, and whichever version.
CREATE TRIGGER runs_freed AFTER UPDATE OF worker ON runs
    WHEN OLD.lane_a IS NOT NULL AND OLD.worker IS NOT NULL AND NEW.worker IS NULL
BEGIN
    INSERT OR IGNORE INTO freed_lanes (lane)
        SELECT * FROM (SELECT parked FROM lines WHERE parked = OLD.lane_a LIMIT 1)
        UNION ALL SELECT * FROM (SELECT parked FROM lines WHERE parked = OLD.lane_b LIMIT 1);
END;
CREATE TRIGGER runs_freed_gone AFTER DELETE ON runs WHEN OLD.lane_a IS NOT NULL AND OLD.worker IS NOT NULL BEGIN
    INSERT OR IGNORE INTO freed_lanes (lane)
        SELECT * FROM (SELECT parked FROM lines WHERE parked = OLD.lane_a LIMIT 1)
        UNION ALL SELECT * FROM (SELECT parked FROM lines WHERE parked = OLD.lane_b LIMIT 1);
END;
