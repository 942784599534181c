-- What runs wait for, and the order of the events that they may find.

-- When a delayed event becomes visible.
ALTER TABLE {schema}.events ADD COLUMN visible_at bigint,
    -- Where it stands among the events that waits may find: NULL where nobody may wait for its type, 0 until it is given a place, and
    -- below zero for one that starts a single function, which no wait finds.
    ADD COLUMN place bigint,
    -- One that has a place, or will have one, and that no run of its own needs; it is not `idle` then.
    ADD COLUMN spent boolean;
-- Each event that gets a place leaves a dead entry in `events_unplaced`, at which every claim looks; they must go before these are many.
ALTER TABLE {schema}.events SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
-- A key may be longer than an index takes, and may be missing.
CREATE INDEX events_placed ON {schema}.events (event_type, hashtextextended(coalesce('k' || correlation_key, ''), 0), place)
    WHERE place > 0;
CREATE INDEX events_unplaced ON {schema}.events (coalesce(visible_at, 0), number) WHERE place = 0;
CREATE INDEX events_delayed ON {schema}.events (event_type, visible_at) WHERE visible_at IS NOT NULL AND place IS NULL;
CREATE INDEX events_spent ON {schema}.events (event_type, place) WHERE spent;
-- Places are drawn under the lock of `show_due`, so they are committed in their order.
CREATE SEQUENCE {schema}.places;

ALTER TABLE {schema}.runs
    -- It has waited for something.
    ADD COLUMN waits boolean,
    -- It goes on at its time and no earlier, whatever arrives.
    ADD COLUMN keeps_time boolean;

-- What a step waits for beside a time, as JSON, and the places behind which it looks for each type while it waits.
ALTER TABLE {schema}.steps ADD COLUMN wait text, ADD COLUMN wait_places bigint[];

-- The steps that wait, by what they wait for. Those of a run that is over are not open.
CREATE TABLE {schema}.waits (
    run bigint NOT NULL,
    -- The hash of the key.
    lane bigint NOT NULL,
    cursor bigint NOT NULL,
    seq integer NOT NULL,
    open boolean NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    -- A `k` and the key of the event, or nothing.
    wanted_key text COLLATE "C" NOT NULL,
    PRIMARY KEY (run, seq, event_type)
);
CREATE INDEX waits_open ON {schema}.waits (event_type, lane) WHERE open;

-- What runs of each session's functions may wait for. Its rows go with those in `wants`.
CREATE TABLE {schema}.awaits (
    session bigint NOT NULL,
    function_id text COLLATE "C" NOT NULL,
    event_types text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (session, function_id)
);
-- All of these, and what runs that are not over wait for beyond them. Events of these types get a place. Publishers remember them
-- as of the version of the subscriptions.
CREATE TABLE {schema}.awaited (
    event_type text COLLATE "C" NOT NULL,
    function_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (event_type, function_id)
);

-- The end of a run closes its waits, whichever version ends it.
CREATE FUNCTION {schema}.close_waits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM {schema}.waits WHERE run = OLD.number;
    ELSE
        UPDATE {schema}.waits SET open = false WHERE run = NEW.number AND open;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER waits_end AFTER UPDATE OF finished_at ON {schema}.runs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL AND NEW.waits) EXECUTE FUNCTION {schema}.close_waits();
CREATE TRIGGER waits_go AFTER DELETE ON {schema}.runs
    FOR EACH ROW WHEN (OLD.waits) EXECUTE FUNCTION {schema}.close_waits();

-- Events of earlier versions, which have no digest, are given a place by the next claim. Delays and targets of theirs are not known.
CREATE FUNCTION {schema}.await_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM {schema}.awaited WHERE event_type = NEW.event_type) THEN
        NEW.place := 0;
        NEW.spent := CASE WHEN NEW.idle THEN true END;
        NEW.idle := false;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER events_arrive BEFORE INSERT ON {schema}.events
    FOR EACH ROW WHEN (NEW.digest IS NULL) EXECUTE FUNCTION {schema}.await_place();
