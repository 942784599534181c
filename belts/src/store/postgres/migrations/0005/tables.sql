-- The functions of which nothing is claimed, and since when.
CREATE TABLE {schema}.paused (
    function_id text COLLATE "C" PRIMARY KEY,
    paused_at bigint NOT NULL
);
