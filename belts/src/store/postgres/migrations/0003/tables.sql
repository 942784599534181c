-- What the tables grow by. Every new column may be NULL, so that no table is rewritten and processes of the version before
-- write on. For the same reason a function that one of them calls keeps its name and its parameters until a later release:
-- what takes other ones gets a signature of its own beside it.

-- The oldest version of the tables whose processes work with these.
ALTER TABLE {schema}.schema_version ADD COLUMN oldest integer;

-- What tells another event under the same id. NULL is an event from before, which is not compared.
ALTER TABLE {schema}.events ADD COLUMN digest bytea;

ALTER TABLE {schema}.runs
    -- How many times in a row a worker died with it, and how much of it was recorded at the last of these times.
    ADD COLUMN crashes integer,
    ADD COLUMN crash_progress bigint,
    -- What people did to it: each is a JSON object.
    ADD COLUMN notes text[];

-- Runs that wait for no time and have no worker, so that those of a function can be counted and ended.
CREATE INDEX runs_stopped ON {schema}.runs (function_id, number)
    WHERE due_at IS NULL AND worker IS NULL AND finished_at IS NULL;

-- The latest time at which a worker was heard of, to a second.
ALTER TABLE {schema}.subscriptions_version ADD COLUMN seen bigint;

-- What each session wants, and what ended ones wanted whose program nobody speaks for since. `subscriptions` is what they
-- want together, which is all that publishers read.
CREATE TABLE {schema}.wants (
    session bigint NOT NULL,
    function_id text COLLATE "C" NOT NULL,
    event_types text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (session, function_id)
);
CREATE INDEX wants_function ON {schema}.wants (function_id);

-- Nobody knows who wanted what there was before. So each session that there is wants all of it, until it ends; and each
-- function has an ended session of its own, with a number below zero, that stands until somebody speaks for that function.
INSERT INTO {schema}.wants
    SELECT id, function_id, array_agg(event_type) FROM {schema}.workers, {schema}.subscriptions GROUP BY id, function_id;
INSERT INTO {schema}.wants
    SELECT -row_number() OVER (ORDER BY function_id), function_id, array_agg(event_type)
    FROM {schema}.subscriptions GROUP BY function_id;
