-- Which functions an event starts, and by which clock.

-- Works out anew what the sessions want together. Under the lock of `register`, so that of two the later one sees the other.
CREATE FUNCTION {schema}.settle_wants() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- What ended sessions wanted falls when a living one has a function in common with them.
    DELETE FROM {schema}.wants WHERE session = ANY (ARRAY(
        SELECT DISTINCT ended.session FROM {schema}.wants AS ended
        WHERE NOT EXISTS (SELECT FROM {schema}.workers WHERE id = ended.session)
            AND EXISTS (SELECT FROM {schema}.wants AS other JOIN {schema}.workers ON id = other.session
                WHERE other.function_id = ended.function_id)));
    DELETE FROM {schema}.awaits WHERE NOT EXISTS (SELECT FROM {schema}.wants WHERE wants.session = awaits.session);
    PERFORM {schema}.drop_unawaited();
    WITH together AS MATERIALIZED (
        SELECT DISTINCT wanted.event_type, function_id
        FROM {schema}.wants, unnest(event_types) AS wanted (event_type)
    ), dropped AS (
        DELETE FROM {schema}.subscriptions WHERE NOT EXISTS (SELECT FROM together
            WHERE together.event_type = subscriptions.event_type AND together.function_id = subscriptions.function_id)
        RETURNING 1
    ), added AS (
        INSERT INTO {schema}.subscriptions SELECT * FROM together ON CONFLICT DO NOTHING RETURNING 1
    )
    UPDATE {schema}.subscriptions_version SET version = version + 1
        WHERE EXISTS (SELECT FROM dropped) OR EXISTS (SELECT FROM added);
END $$;

-- The first waiting run of every function: one look into the index for each function that has any.
CREATE FUNCTION {schema}.first_due(OUT functions text[], OUT dues bigint[], OUT numbers bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    head record;
BEGIN
    SELECT function_id, due_at, number INTO head FROM {schema}.runs WHERE due_at IS NOT NULL
        ORDER BY function_id, due_at, number LIMIT 1;
    WHILE FOUND LOOP
        functions := functions || head.function_id;
        dues := dues || head.due_at;
        numbers := numbers || head.number;
        SELECT function_id, due_at, number INTO head FROM {schema}.runs
            WHERE due_at IS NOT NULL AND function_id > head.function_id
            ORDER BY function_id, due_at, number LIMIT 1;
    END LOOP;
END $$;

-- If a worker's clock was set back, delayed events that had fallen due are shown first. Before any row is locked.
CREATE FUNCTION {schema}.heed_clock(in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT seen FROM {schema}.subscriptions_version);
BEGIN
    IF before - in_now > 10000 THEN
        PERFORM {schema}.show_all_due('', before, in_now);
    END IF;
END $$;

-- Takes note of a worker's clock, to a second, so that renewals do not write it each time. If the clock was set back, what
-- was due stays due. The clocks of machines differ by some seconds: that ends no delay early.
CREATE FUNCTION {schema}.hear_of(in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT seen FROM {schema}.subscriptions_version);
BEGIN
    IF abs(before - in_now) < 1000 THEN
        RETURN;
    END IF;
    UPDATE {schema}.subscriptions_version SET seen = in_now;
    IF before - in_now > 10000 THEN
        UPDATE {schema}.runs SET due_at = in_now WHERE number = ANY (ARRAY(
            SELECT run.number FROM unnest((SELECT functions FROM {schema}.first_due())) AS function (id), LATERAL (
                SELECT number FROM {schema}.runs
                WHERE function_id = function.id AND due_at IS NOT NULL AND due_at > in_now AND due_at <= before
                FOR UPDATE SKIP LOCKED) AS run));
    END IF;
END $$;
