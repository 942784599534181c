-- What the clock starts, and when a worker is to look at it.
CREATE TABLE {schema}.schedules (
    name text COLLATE "C" PRIMARY KEY,
    function_id text COLLATE "C" NOT NULL,
    due_at bigint,
    version bigint NOT NULL,
    value bytea NOT NULL
);
CREATE INDEX schedules_due ON {schema}.schedules (due_at, function_id) WHERE due_at IS NOT NULL;
