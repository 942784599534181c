-- Pausing functions.

-- Whoever publishes knows of pauses by the version of the subscriptions, and so leases nothing of a paused function. Under the lock of
-- `register`, which others take before that version as well.
CREATE FUNCTION {schema}.pause(in_function text, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    INSERT INTO {schema}.paused (function_id, paused_at) VALUES (in_function, in_now) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE {schema}.subscriptions_version SET version = version + 1;
    RETURN true;
END $$;

CREATE FUNCTION {schema}.resume(in_store text, in_function text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    DELETE FROM {schema}.paused WHERE function_id = in_function;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE {schema}.subscriptions_version SET version = version + 1;
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;

-- Ends unfinished runs of a function that no living session has, silent sessions that have it, and its pause, and drops what was
-- wanted for it. A session that comes back registers again, and wants it again.
CREATE OR REPLACE FUNCTION {schema}.forget(
    in_store text, in_function text, in_now bigint, in_limit bigint,
    OUT living boolean, OUT ended bigint, OUT more boolean
) LANGUAGE plpgsql AS $$
DECLARE
    unfinished bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    living := EXISTS (SELECT FROM {schema}.wants JOIN {schema}.workers ON id = session
        WHERE function_id = in_function AND lease_until > in_now);
    IF living THEN
        RETURN;
    END IF;
    PERFORM {schema}.end_session(in_store, silent.id, in_now, true)
        FROM (SELECT id FROM {schema}.workers JOIN {schema}.wants ON session = id WHERE function_id = in_function
              ORDER BY id) AS silent;
    DELETE FROM {schema}.wants WHERE function_id = in_function;
    DELETE FROM {schema}.awaits WHERE function_id = in_function;
    PERFORM {schema}.settle_wants();
    PERFORM {schema}.resume(in_store, in_function);
    unfinished := ARRAY(SELECT number FROM (
        (SELECT number FROM {schema}.runs WHERE function_id = in_function AND due_at IS NOT NULL
            ORDER BY due_at, number LIMIT in_limit + 1)
        UNION ALL
        (SELECT number FROM {schema}.runs WHERE function_id = in_function
            AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL ORDER BY number LIMIT in_limit + 1)
        UNION ALL
        (SELECT number FROM {schema}.runs WHERE function_id = in_function AND worker IS NOT NULL LIMIT in_limit + 1)
        ) AS found LIMIT in_limit + 1);
    more := cardinality(unfinished) > in_limit;
    PERFORM {schema}.lock_families(unfinished[:in_limit], unfinished[:in_limit]);
    unfinished := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (unfinished[:in_limit]) AND finished_at IS NULL
        ORDER BY number FOR UPDATE);
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = ANY (unfinished);
    ended := cardinality(unfinished);
    IF ended > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;
