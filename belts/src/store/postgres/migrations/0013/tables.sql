-- What flow options keep of their keys: of a rate, when the next one is on time, in microseconds; of what is open, since when.
CREATE TABLE {schema}.flow_keys (
    id text COLLATE "C" PRIMARY KEY,
    at bigint NOT NULL,
    run text COLLATE "C",
    count integer NOT NULL,
    until bigint NOT NULL
);
CREATE INDEX flow_keys_until ON {schema}.flow_keys (until);
-- What flow options have made of a run; NULL where nobody has applied any. And the singleton that it is one of.
ALTER TABLE {schema}.runs ADD COLUMN flow text COLLATE "C", ADD COLUMN single text COLLATE "C";
CREATE INDEX runs_single ON {schema}.runs (single, number) WHERE single IS NOT NULL AND finished_at IS NULL;
-- The events that a run has beside its own. They say so themselves, since triggers cost what all are asked.
CREATE TABLE {schema}.run_events (
    run bigint NOT NULL,
    event bigint NOT NULL,
    PRIMARY KEY (run, event)
);
CREATE INDEX run_events_event ON {schema}.run_events (event);
ALTER TABLE {schema}.events ADD COLUMN joined boolean;
