-- How much time the runs of a function have, in milliseconds, as the session said that registered last.
CREATE TABLE limits (
    function INTEGER PRIMARY KEY,
    start_within INTEGER,
    finish_within INTEGER
) STRICT;
-- By when a run must have been claimed and must have ended, and since when that is counted. All are NULL where it has all the time.
ALTER TABLE runs ADD COLUMN limits_since INTEGER;
ALTER TABLE runs ADD COLUMN start_by INTEGER;
ALTER TABLE runs ADD COLUMN finish_by INTEGER;
CREATE INDEX runs_start_by ON runs (start_by) WHERE start_by IS NOT NULL AND started_at IS NULL AND finished_at IS NULL;
CREATE INDEX runs_finish_by ON runs (finish_by) WHERE finish_by IS NOT NULL AND finished_at IS NULL;
