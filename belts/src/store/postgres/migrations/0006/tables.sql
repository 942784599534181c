-- How much time the runs of a function have, in milliseconds, as the session said that registered last.
CREATE TABLE {schema}.limits (
    function_id text COLLATE "C" PRIMARY KEY,
    start_within bigint,
    finish_within bigint
);
-- Whether there are any: whoever publishes reads this row anyway.
ALTER TABLE {schema}.subscriptions_version ADD COLUMN limited boolean NOT NULL DEFAULT false;
-- By when a run must have been claimed and must have ended, and since when that is counted. All are NULL where it has all the time.
ALTER TABLE {schema}.runs
    ADD COLUMN limits_since bigint,
    ADD COLUMN start_by bigint,
    ADD COLUMN finish_by bigint;
CREATE INDEX runs_start_by ON {schema}.runs (start_by)
    WHERE start_by IS NOT NULL AND started_at IS NULL AND finished_at IS NULL;
CREATE INDEX runs_finish_by ON {schema}.runs (finish_by) WHERE finish_by IS NOT NULL AND finished_at IS NULL;
