-- The places of events, with those that were published in a transaction of their publisher's own.
--
-- Such an event may be committed long after it was written: it is found by claims as one that has no place yet, whatever its type.
-- Whoever gives it one sees that it is committed, and only then it counts as published: behind whatever others have published
-- meanwhile, and for the functions that have subscribed meanwhile.

-- Takes note of the events that are committed by now, under the lock of `show_due`.
CREATE FUNCTION {schema}.arrive(in_store text, in_by bigint, in_due_at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    present bigint := (SELECT version FROM {schema}.subscriptions_version);
    arrived record;
BEGIN
    FOR arrived IN WITH gone AS (DELETE FROM {schema}.arriving RETURNING *) SELECT * FROM gone ORDER BY event LOOP
        UPDATE {schema}.events SET shown_number = nextval('{schema}.events_number_seq'), visible_at = arrived.visible_at,
            published_at = greatest(published_at, in_by) WHERE number = arrived.event;
        IF arrived.version <> present
            AND {schema}.start_missing(arrived.event, arrived.except_functions, arrived.retries,
                coalesce(arrived.visible_at, in_due_at)) THEN
            PERFORM pg_notify('{channel}', in_store);
        END IF;
    END LOOP;
END $$;

-- Starts the runs of an event for functions that have subscribed since it was written; whether there are any.
CREATE FUNCTION {schema}.start_missing(in_event bigint, in_except text[], in_retries integer, in_due_at bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    last_run bigint := coalesce((SELECT max(number) FROM {schema}.runs
        WHERE number BETWEEN in_event << 16 AND in_event << 16 | 65535), in_event << 16);
    missing text[] := ARRAY(
        SELECT function_id FROM {schema}.subscriptions
        WHERE event_type = (SELECT event_type FROM {schema}.events WHERE number = in_event) AND function_id <> ALL (in_except)
            AND NOT EXISTS (SELECT FROM {schema}.runs WHERE number BETWEEN in_event << 16 AND last_run
                AND runs.function_id = subscriptions.function_id)
        ORDER BY function_id);
    added bigint[] := ARRAY(SELECT last_run + nth FROM generate_series(1, cardinality(missing)) AS nth ORDER BY nth);
BEGIN
    IF cardinality(missing) = 0 THEN
        RETURN false;
    END IF;
    INSERT INTO {schema}.runs (number, token, due_at, retries, id, function_id, status)
        SELECT added[nth], (SELECT ticket FROM {schema}.events WHERE number = in_event), in_due_at, in_retries, {schema}.new_id(),
            missing[nth], 'pending'
        FROM generate_series(1, cardinality(missing)) AS nth;
    UPDATE {schema}.events SET spent = NULL WHERE number = in_event;
    IF (SELECT limited FROM {schema}.subscriptions_version) THEN
        PERFORM {schema}.limit_runs(added, missing, array_fill(in_due_at, ARRAY[cardinality(missing)]),
            array_fill(in_due_at, ARRAY[cardinality(missing)]));
    END IF;
    RETURN true;
END $$;

-- Gives their places to events that have become visible, at most a thousand, and makes the suspended runs due that wait for them.
-- `shown` of them there were, and `waiting` runs.
CREATE OR REPLACE FUNCTION {schema}.show_due(in_store text, in_by bigint, in_due_at bigint, OUT shown bigint, OUT waiting bigint)
LANGUAGE plpgsql AS $$
DECLARE
    numbers bigint[];
    runs_waiting bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock({places});
    IF EXISTS (SELECT FROM {schema}.arriving) THEN
        PERFORM {schema}.arrive(in_store, in_by, in_due_at);
    END IF;
    -- Plain ones as they were published, and delayed ones among them by time.
    numbers := ARRAY(
        SELECT number FROM (
            SELECT number, coalesce(shown_number, number) AS nth, coalesce(visible_at,
                max(published_at) FILTER (WHERE visible_at IS NULL) OVER (ORDER BY coalesce(shown_number, number))) AS visible
            FROM {schema}.events WHERE place = 0 AND coalesce(visible_at, 0) <= in_by) AS ordered
        ORDER BY visible, nth LIMIT 1000);
    shown := cardinality(numbers);
    waiting := 0;
    IF shown = 0 THEN
        RETURN;
    END IF;
    FOR i IN 1..shown LOOP
        UPDATE {schema}.events SET place = nextval('{schema}.places') WHERE number = numbers[i];
    END LOOP;
    -- Locked whoever drives them, so that one that is being suspended now sees what has arrived, or is seen.
    runs_waiting := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (ARRAY(
        SELECT DISTINCT run.run FROM unnest(numbers) AS placed (number), LATERAL (
            SELECT event_type, coalesce('k' || correlation_key, '') AS own_key FROM {schema}.events
            WHERE events.number = placed.number OFFSET 0) AS event, LATERAL (
            SELECT waits.run FROM {schema}.waits
            WHERE open AND waits.event_type = event.event_type AND lane = hashtextextended(own_key, 0) AND wanted_key = own_key
            OFFSET 0) AS run))
        ORDER BY number FOR UPDATE);
    waiting := cardinality(runs_waiting);
    IF waiting > 0 THEN
        UPDATE {schema}.runs SET due_at = in_due_at
            WHERE number = ANY (runs_waiting) AND status = 'suspended' AND worker IS NULL AND keeps_time IS NULL
                AND (due_at IS NULL OR due_at > in_due_at);
        -- Those who drive a run that waits want to know as well.
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;

-- From here on runs of these functions may wait for events of these types, each pair of both. Those that are there are given their
-- places if runs that are not over could look back to them, or the one that is about to go on again, if any. Before any row is locked.
CREATE OR REPLACE FUNCTION {schema}.begin_to_await(in_store text, in_functions text[], in_types text[], in_now bigint, in_again bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    new_type text;
    new_types text[];
    first_number bigint;
    first_at bigint;
BEGIN
    IF {schema}.all_awaited(in_functions, in_types) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock({places});
    new_types := ARRAY(SELECT DISTINCT t FROM unnest(in_types) AS asked (t)
        WHERE NOT EXISTS (SELECT FROM {schema}.awaited WHERE event_type = t));
    IF cardinality(new_types) > 0 THEN
        first_number := least(in_again, (SELECT min(number + 0) FROM {schema}.runs WHERE due_at IS NOT NULL),
            (SELECT min(number + 0) FROM {schema}.runs WHERE worker IS NOT NULL),
            (SELECT min(number + 0) FROM {schema}.runs WHERE due_at IS NULL AND worker IS NULL AND finished_at IS NULL)) >> 16;
        -- Publishers that do not know of it yet are waited for, and those that follow see the new version.
        LOCK TABLE {schema}.publishing IN EXCLUSIVE MODE;
    END IF;
    INSERT INTO {schema}.awaited (event_type, function_id)
        SELECT DISTINCT t, f FROM unnest(in_functions, in_types) AS asked (f, t) ON CONFLICT DO NOTHING;
    IF cardinality(new_types) = 0 THEN
        RETURN;
    END IF;
    UPDATE {schema}.subscriptions_version SET version = version + 1;
    -- A clock that is ahead says nothing of what was delayed until after it.
    first_at := (SELECT CASE WHEN published_at <= in_now THEN published_at ELSE 0 END FROM {schema}.events WHERE number = first_number);
    FOREACH new_type IN ARRAY new_types LOOP
        UPDATE {schema}.events SET place = 0, spent = CASE WHEN idle THEN true END, idle = false
            WHERE event_type = new_type AND visible_at IS NOT NULL AND place IS NULL
                AND (visible_at > in_now OR visible_at >= first_at);
        -- Behind all that have a place: of those before some may have had nobody to wait for them. What was published in a
        -- transaction of its publisher's own has one in any case.
        UPDATE {schema}.events SET place = 0, spent = CASE WHEN idle THEN true END, idle = false
            WHERE number > greatest(first_number, (SELECT max(placed.number + 0) FROM {schema}.events AS placed
                    WHERE placed.event_type = new_type AND placed.place > 0 AND placed.visible_at IS NULL
                        AND placed.shown_number IS NULL))
                AND first_number IS NOT NULL AND event_type = new_type AND visible_at IS NULL AND place IS NULL;
    END LOOP;
    PERFORM {schema}.show_due(in_store, in_now, in_now);
END $$;

-- The place behind which a run looks for events of a type and key, by the event that started it. That was published before the run began,
-- whatever the clock of its publisher said.
CREATE OR REPLACE FUNCTION {schema}.place_behind(in_run bigint, in_type text, in_key text, in_after text, in_value bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    in_event bigint := in_run >> 16;
    own_lane bigint := hashtextextended(in_key, 0);
    last_place bigint := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {schema}.places);
    -- Somebody may look back very far.
    from_time bigint := greatest(in_value, -4611686018427387904);
    start_visible bigint;
    start_published bigint;
    event record;
    behind bigint;
    preceding integer := 0;
    -- Clocks may differ by so much.
    trusted CONSTANT bigint := 60000;
BEGIN
    IF in_after = 'place' THEN
        RETURN in_value;
    ELSIF in_after = 'now' THEN
        RETURN last_place;
    ELSIF in_after = 'start' THEN
        SELECT visible_at, least(published_at, (SELECT started_at FROM {schema}.runs WHERE number = in_run))
            INTO start_visible, start_published FROM {schema}.events WHERE number = in_event;
        IF start_visible IS NULL THEN
            -- Backwards from the last, before the first that did not precede it. Numbers are committed in any order, so there may be
            -- some that precede it among those that do not: a few, unless they are of about the same time.
            FOR event IN SELECT place, coalesce(visible_at, published_at) AS visible, CASE WHEN number = in_event THEN true WHEN visible_at IS NULL THEN coalesce(shown_number, number) < in_event
                    ELSE visible_at < start_published END AS precedes
                FROM {schema}.events
                WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
                    AND coalesce('k' || correlation_key, '') = in_key
                ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0) DESC, place DESC
            LOOP
                IF NOT event.precedes THEN
                    behind := event.place - 1;
                    preceding := 0;
                ELSE
                    behind := coalesce(behind, event.place);
                    preceding := preceding + 1;
                    EXIT WHEN preceding = 1000 OR preceding >= 8 AND event.visible < start_published - trusted;
                END IF;
            END LOOP;
            RETURN coalesce(behind, 0);
        END IF;
        from_time := start_visible;
    END IF;
    -- Before the first that became visible then or later, which is looked for backwards. Nearly always the last one was long before.
    FOR event IN SELECT place, coalesce(visible_at, published_at) AS visible FROM {schema}.events
        WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
            AND coalesce('k' || correlation_key, '') = in_key
        ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0) DESC, place DESC
    LOOP
        EXIT WHEN event.visible < from_time - trusted;
        IF event.visible >= from_time THEN
            behind := event.place - 1;
        END IF;
    END LOOP;
    RETURN coalesce(behind, last_place);
END $$;

-- Removes events that have a place and that nobody needs, the earliest of each type first.
CREATE OR REPLACE FUNCTION {schema}.purge_spent(in_before bigint, in_limit bigint, OUT gone bigint, OUT more boolean) LANGUAGE plpgsql AS $$
DECLARE
    next_type text := (SELECT min(event_type) FROM {schema}.events WHERE spent);
    first_number bigint;
    first_at bigint;
    event record;
BEGIN
    gone := 0;
    more := false;
    WHILE next_type IS NOT NULL AND NOT more LOOP
        first_number := {schema}.horizon(next_type);
        first_at := (SELECT published_at FROM {schema}.events WHERE number = first_number);
        FOR event IN SELECT number, coalesce(visible_at, published_at) AS visible, visible_at, coalesce(shown_number, number) AS nth FROM {schema}.events
            WHERE spent AND event_type = next_type AND place > 0 ORDER BY place LIMIT in_limit - gone + 100
        LOOP
            -- Those of one type have places in the order in which they became visible, but for some of which the clocks were wrong.
            CONTINUE WHEN event.visible >= in_before
                OR CASE WHEN event.visible_at IS NULL THEN event.nth > first_number ELSE event.visible_at >= first_at END;
            IF gone = in_limit THEN
                more := true;
                EXIT;
            END IF;
            DELETE FROM {schema}.events WHERE number = event.number AND spent;
            gone := gone + 1;
        END LOOP;
        next_type := (SELECT min(event_type) FROM {schema}.events WHERE spent AND event_type > next_type);
    END LOOP;
END $$;

-- Events of earlier versions, which have no digest, are given a place by the next claim. Delays and targets of theirs are not known.
CREATE OR REPLACE FUNCTION {schema}.await_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE {schema}.publishing IN ROW SHARE MODE;
    IF EXISTS (SELECT FROM {schema}.awaited WHERE event_type = NEW.event_type) THEN
        NEW.place := 0;
        NEW.spent := CASE WHEN NEW.idle THEN true END;
        NEW.idle := false;
    END IF;
    RETURN NEW;
END $$;
