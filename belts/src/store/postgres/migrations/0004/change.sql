-- What people do to runs and functions.

-- Makes a failed or cancelled run due again, without its failed entries, and without all from a `seq` on if there is one; whether
-- there was such a run. What was told of its end is taken back. Some entries wait again: after them come the types that they wait for,
-- each with its entry, its key, and what it is looked for behind.
CREATE FUNCTION {schema}.rerun_from(
    in_store text, in_id text, in_now bigint, in_seq bigint,
    o_seqs integer[], t_seqs integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    again bigint := (SELECT number FROM {schema}.runs WHERE id = in_id AND status IN ('failed', 'cancelled'));
    functions text[];
    types text[];
    had_parent boolean;
BEGIN
    IF again IS NULL THEN
        RETURN false;
    END IF;
    SELECT array_agg(function_id), array_agg(event_type) INTO functions, types FROM (
        SELECT event_type FROM {schema}.waits JOIN {schema}.steps USING (run, seq)
            WHERE run = again AND state = 'waiting' AND (in_seq IS NULL OR seq < in_seq)
        UNION ALL
        SELECT event_type FROM unnest(t_seqs, t_types) AS opened (seq, event_type) WHERE in_seq IS NULL OR seq < in_seq
        ) AS awaited, {schema}.runs WHERE number = again;
    IF types IS NOT NULL THEN
        -- No event may be on its way to a wait that is opened here, and nobody may have awaited its type since.
        PERFORM pg_advisory_xact_lock({places});
        PERFORM {schema}.begin_to_await('', functions, types, in_now, again);
    END IF;
    UPDATE {schema}.runs SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'suspended' END, due_at = in_now,
        failed_attempts = 0, result = NULL, finished_at = NULL, crashes = NULL, crash_progress = NULL, keeps_time = NULL,
        waits = CASE WHEN cardinality(t_seqs) > 0 THEN true ELSE waits END,
        generation = CASE WHEN in_seq IS NULL THEN generation ELSE coalesce(generation, 0) + 1 END
        WHERE number = again AND status IN ('failed', 'cancelled') RETURNING parent IS NOT NULL INTO had_parent;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF had_parent THEN
        PERFORM {schema}.untell(ARRAY[in_id]);
    END IF;
    UPDATE {schema}.steps SET state = 'waiting', value = '', due_at = NULL, finished_at = NULL
        WHERE run = again AND seq = ANY (o_seqs) AND kind = 'call' AND state <> 'completed';
    DELETE FROM {schema}.steps WHERE run = again AND (state = 'failed' OR seq >= in_seq);
    DELETE FROM {schema}.waits WHERE run = again AND seq >= in_seq;
    -- Those that still wait keep their places.
    INSERT INTO {schema}.waits (run, lane, cursor, seq, open, event_type, wanted_key)
        SELECT again, hashtextextended(own_key, 0), {schema}.place_behind(again, t_types[i], own_key, t_afters[i], t_values[i]),
            t_seqs[i], true, t_types[i], own_key
        FROM generate_series(1, cardinality(t_seqs)) AS i, LATERAL (SELECT coalesce('k' || t_keys[i], '') AS own_key) AS own
        WHERE EXISTS (SELECT FROM {schema}.steps WHERE run = again AND seq = t_seqs[i] AND state = 'waiting')
        ON CONFLICT DO NOTHING;
    UPDATE {schema}.steps SET wait_places = ARRAY(
            SELECT cursor FROM unnest(t_seqs, t_types) WITH ORDINALITY AS opened (seq, event_type, nth)
                JOIN {schema}.waits USING (seq, event_type)
            WHERE run = again AND seq = steps.seq ORDER BY nth)
        WHERE run = again AND seq = ANY (t_seqs) AND state = 'waiting';
    UPDATE {schema}.waits SET open = true WHERE run = again
        AND EXISTS (SELECT FROM {schema}.steps WHERE steps.run = again AND steps.seq = waits.seq AND state = 'waiting');
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;

-- As the version before calls it.
CREATE OR REPLACE FUNCTION {schema}.rerun_from(in_store text, in_id text, in_now bigint, in_seq bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN {schema}.rerun_from(in_store, in_id, in_now, in_seq, '{}', '{}', '{}', '{}', '{}', '{}');
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
