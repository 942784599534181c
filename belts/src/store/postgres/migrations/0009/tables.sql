-- What is kept for publishers that publish in a transaction of their own.

-- Which store this is, so that such a publisher notices another one. Whoever publishes reads this row anyway.
ALTER TABLE {schema}.subscriptions_version ADD COLUMN identity uuid NOT NULL DEFAULT gen_random_uuid();

-- Whoever publishes in a write of the store holds this, which has no rows, and whoever begins to await a type waits for all that do.
-- A publisher's own transaction may stay open for long, and never holds it.
CREATE TABLE {schema}.publishing ();

-- Where an event that was published in such a transaction stands among the others: its number was drawn before it was committed.
ALTER TABLE {schema}.events ADD COLUMN shown_number bigint;

-- Events of such transactions, until somebody sees them committed.
CREATE TABLE {schema}.arriving (
    event bigint PRIMARY KEY,
    -- The subscriptions that the publisher knew.
    version bigint NOT NULL,
    visible_at bigint,
    retries integer,
    -- The functions that are not to get it.
    except_functions text[] COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
