-- The places of events, and which events get one.
--
-- Numbers of events are committed in any order, and a wait looks behind a place: so an event is given its place after it was
-- committed, by its publisher, or by a claim if that one has died. Whoever gives places holds a lock until that is committed. A commit
-- that opens a wait shares the lock, so that the event and the wait cannot miss each other. It is taken before any row is locked.

-- Gives their places to events that have become visible, at most a thousand, and makes the suspended runs due that wait for them.
-- `shown` of them there were, and `waiting` runs.
CREATE FUNCTION {schema}.show_due(in_store text, in_by bigint, in_due_at bigint, OUT shown bigint, OUT waiting bigint)
LANGUAGE plpgsql AS $$
DECLARE
    numbers bigint[];
    runs_waiting bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock({places});
    -- Plain ones as they were published, and delayed ones among them by time.
    numbers := ARRAY(
        SELECT number FROM (
            SELECT number, coalesce(visible_at, max(published_at) FILTER (WHERE visible_at IS NULL) OVER (ORDER BY number)) AS visible
            FROM {schema}.events WHERE place = 0 AND coalesce(visible_at, 0) <= in_by) AS ordered
        ORDER BY visible, number LIMIT 1000);
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

-- The same with all of them: what is written next is to find them.
CREATE FUNCTION {schema}.show_all_due(in_store text, in_by bigint, in_due_at bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM {schema}.events WHERE place = 0 AND coalesce(visible_at, 0) <= in_by) LOOP
        PERFORM {schema}.show_due(in_store, in_by, in_due_at);
    END LOOP;
END $$;

-- After a publish of events that may be awaited: shows them, and what fell due before. A publisher's clock may be a minute ahead of the
-- last worker that was heard of, and what is due at once is due by the clock of the workers.
CREATE FUNCTION {schema}.show_published(in_store text, in_now bigint, in_delayed boolean, OUT shown bigint, OUT waiting bigint)
LANGUAGE plpgsql AS $$
DECLARE
    last_seen bigint := (SELECT seen FROM {schema}.subscriptions_version);
BEGIN
    SELECT * INTO shown, waiting FROM {schema}.show_due(in_store, least(in_now, last_seen + 60000),
        CASE WHEN last_seen < in_now AND in_now - last_seen <= 86400000 THEN last_seen ELSE in_now END);
    IF in_delayed THEN
        -- Somebody has to look at its time.
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;

-- Whether all of these functions may wait for these types, each pair of both.
CREATE FUNCTION {schema}.all_awaited(in_functions text[], in_types text[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM unnest(in_functions, in_types) AS asked (f, t)
        WHERE NOT EXISTS (SELECT FROM {schema}.awaited WHERE event_type = t AND function_id = f));
END $$;

-- From here on runs of these functions may wait for events of these types, each pair of both. Those that are there are given their
-- places if runs that are not over could look back to them, or the one that is about to go on again, if any. Before any row is locked.
CREATE FUNCTION {schema}.begin_to_await(in_store text, in_functions text[], in_types text[], in_now bigint, in_again bigint)
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
        LOCK TABLE {schema}.events IN SHARE ROW EXCLUSIVE MODE;
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
        -- Behind all that have a place: of those before some may have had nobody to wait for them.
        UPDATE {schema}.events SET place = 0, spent = CASE WHEN idle THEN true END, idle = false
            WHERE number > greatest(first_number, (SELECT max(placed.number + 0) FROM {schema}.events AS placed
                    WHERE placed.event_type = new_type AND placed.place > 0 AND placed.visible_at IS NULL))
                AND first_number IS NOT NULL AND event_type = new_type AND visible_at IS NULL AND place IS NULL;
    END LOOP;
    PERFORM {schema}.show_due(in_store, in_now, in_now);
END $$;

-- Whether a function has runs that are not over.
CREATE FUNCTION {schema}.goes_on(in_function text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (SELECT FROM {schema}.runs WHERE function_id = in_function AND due_at IS NOT NULL)
        OR EXISTS (SELECT FROM {schema}.runs WHERE function_id = in_function AND worker IS NOT NULL)
        OR EXISTS (SELECT FROM {schema}.runs WHERE function_id = in_function
            AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL);
END $$;

-- What a function no longer awaits stands until its runs are over. Where somebody begins to await something now it is left to the next
-- purge.
CREATE FUNCTION {schema}.drop_unawaited() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.awaited
            WHERE NOT EXISTS (SELECT FROM {schema}.awaits
                    WHERE awaits.function_id = awaited.function_id AND awaited.event_type = ANY (awaits.event_types))
                AND NOT {schema}.goes_on(function_id))
        OR NOT pg_try_advisory_xact_lock({lock}) OR NOT pg_try_advisory_xact_lock({places}) THEN
        RETURN;
    END IF;
    DELETE FROM {schema}.awaited
        WHERE NOT EXISTS (SELECT FROM {schema}.awaits
                WHERE awaits.function_id = awaited.function_id AND awaited.event_type = ANY (awaits.event_types))
            AND NOT {schema}.goes_on(function_id);
    IF FOUND THEN
        UPDATE {schema}.subscriptions_version SET version = version + 1;
    END IF;
END $$;

-- The event of the first run that may look back for events of a type. The `+ 0` keeps it from being looked for among all runs.
CREATE FUNCTION {schema}.horizon(in_type text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT min(least(
        (SELECT min(number + 0) FROM {schema}.runs WHERE runs.function_id = awaited.function_id AND due_at IS NOT NULL),
        (SELECT min(number + 0) FROM {schema}.runs WHERE runs.function_id = awaited.function_id AND worker IS NOT NULL),
        (SELECT min(number + 0) FROM {schema}.runs WHERE runs.function_id = awaited.function_id
            AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL))) >> 16
        FROM {schema}.awaited WHERE event_type = in_type);
END $$;

-- Removes events that have a place and that nobody needs, the earliest of each type first.
CREATE FUNCTION {schema}.purge_spent(in_before bigint, in_limit bigint, OUT gone bigint, OUT more boolean) LANGUAGE plpgsql AS $$
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
        FOR event IN SELECT number, coalesce(visible_at, published_at) AS visible, visible_at FROM {schema}.events
            WHERE spent AND event_type = next_type AND place > 0 ORDER BY place LIMIT in_limit - gone + 100
        LOOP
            -- Those of one type have places in the order in which they became visible, but for some of which the clocks were wrong.
            CONTINUE WHEN event.visible >= in_before
                OR CASE WHEN event.visible_at IS NULL THEN event.number > first_number ELSE event.visible_at >= first_at END;
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
