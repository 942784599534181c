-- What is kept of runs that start others. Every new column may be NULL, as before.

ALTER TABLE {schema}.runs
    -- The run that started it, how many are above it, and whether it is cancelled when that one fails or is cancelled.
    ADD COLUMN parent text COLLATE "C",
    ADD COLUMN parent_depth integer,
    ADD COLUMN attached boolean,
    -- It has started others that are attached.
    ADD COLUMN has_attached boolean,
    -- How many times it was rerun from a step.
    ADD COLUMN generation integer;
CREATE INDEX runs_parent ON {schema}.runs (parent, number) WHERE parent IS NOT NULL;
