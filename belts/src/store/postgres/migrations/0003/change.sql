-- What people do to runs and functions.

-- Removes runs that finished before a time, the longest finished first, and as many events that started nothing.
CREATE FUNCTION {schema}.purge_some(in_before bigint, in_limit bigint, OUT gone_runs bigint, OUT gone_events bigint, OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
    old bigint[];
    their_events bigint[];
BEGIN
    SELECT array_agg(number), array_agg(DISTINCT number >> 16) INTO old, their_events FROM (
        SELECT number FROM {schema}.runs WHERE finished_at IS NOT NULL AND finished_at < in_before
        ORDER BY finished_at, number LIMIT in_limit FOR UPDATE SKIP LOCKED) AS longest;
    DELETE FROM {schema}.steps WHERE run = ANY (old);
    DELETE FROM {schema}.runs WHERE number = ANY (old);
    -- The lock makes the last of an event's runs see that it is that.
    PERFORM FROM {schema}.events WHERE number = ANY (their_events) ORDER BY number FOR UPDATE;
    DELETE FROM {schema}.events
        WHERE number = ANY (their_events) AND (SELECT true FROM {schema}.runs
            WHERE runs.number BETWEEN events.number << 16 AND events.number << 16 | 65535 LIMIT 1) IS NULL;
    -- Events that started nothing are kept as long, so that their ids stay known.
    DELETE FROM {schema}.events WHERE number = ANY (ARRAY(
        SELECT number FROM {schema}.events WHERE idle AND published_at < in_before
        ORDER BY published_at LIMIT in_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS gone_events = ROW_COUNT;
    gone_runs := coalesce(cardinality(old), 0);
    more := EXISTS (SELECT FROM {schema}.runs WHERE finished_at IS NOT NULL AND finished_at < in_before)
        OR EXISTS (SELECT FROM {schema}.events WHERE idle AND published_at < in_before);
END $$;

-- Makes a failed or cancelled run due again, without its failed entries; whether there was one.
CREATE OR REPLACE FUNCTION {schema}.rerun(in_store text, in_id text, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    again bigint;
BEGIN
    UPDATE {schema}.runs SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'suspended' END, due_at = in_now,
        failed_attempts = 0, result = NULL, finished_at = NULL, crashes = NULL, crash_progress = NULL
        WHERE id = in_id AND status IN ('failed', 'cancelled') RETURNING number INTO again;
    IF again IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM {schema}.steps WHERE run = again AND state = 'failed';
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;

-- Ends unfinished runs of a function that no living session has, and silent sessions that have it, and drops what was wanted
-- for it. A session that comes back registers again, and wants it again.
CREATE FUNCTION {schema}.forget(
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
    unfinished := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (unfinished[:in_limit]) AND finished_at IS NULL
        ORDER BY number FOR UPDATE);
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = ANY (unfinished);
    ended := cardinality(unfinished);
    IF ended > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;
