-- What people do to runs and functions.

-- Makes a failed or cancelled run due again, without its failed entries, and without all from a `seq` on if there is one; whether
-- there was such a run. What was told of its end is taken back.
CREATE OR REPLACE FUNCTION {schema}.rerun_from(in_store text, in_id text, in_now bigint, in_seq bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    again bigint := (SELECT number FROM {schema}.runs WHERE id = in_id AND status IN ('failed', 'cancelled'));
    functions text[];
    types text[];
    had_parent boolean;
BEGIN
    IF again IS NULL THEN
        RETURN false;
    END IF;
    SELECT array_agg(function_id), array_agg(event_type) INTO functions, types
        FROM {schema}.waits JOIN {schema}.runs ON number = run JOIN {schema}.steps USING (run, seq)
        WHERE run = again AND state = 'waiting' AND (in_seq IS NULL OR seq < in_seq);
    IF types IS NOT NULL THEN
        -- No event may be on its way to a wait that is opened here, and nobody may have awaited its type since.
        PERFORM pg_advisory_xact_lock({places});
        PERFORM {schema}.begin_to_await('', functions, types, in_now, again);
    END IF;
    UPDATE {schema}.runs SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'suspended' END, due_at = in_now,
        failed_attempts = 0, result = NULL, finished_at = NULL, crashes = NULL, crash_progress = NULL, keeps_time = NULL,
        generation = CASE WHEN in_seq IS NULL THEN generation ELSE coalesce(generation, 0) + 1 END
        WHERE number = again AND status IN ('failed', 'cancelled') RETURNING parent IS NOT NULL INTO had_parent;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF had_parent THEN
        PERFORM {schema}.untell(in_id);
    END IF;
    DELETE FROM {schema}.steps WHERE run = again AND (state = 'failed' OR seq >= in_seq);
    DELETE FROM {schema}.waits WHERE run = again AND seq >= in_seq;
    UPDATE {schema}.waits SET open = true WHERE run = again
        AND EXISTS (SELECT FROM {schema}.steps WHERE steps.run = again AND steps.seq = waits.seq AND state = 'waiting');
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;

-- Ends unfinished runs of a function that no living session has, and silent sessions that have it, and drops what was wanted
-- for it. A session that comes back registers again, and wants it again.
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
