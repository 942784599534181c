-- Runs whose time is limited.

-- Keeps how much time the runs of some functions have: of those that are limited, and of none else. Under the lock of `register`.
CREATE FUNCTION {schema}.limit_functions(
    in_functions text[], in_limited text[], in_start bigint[], in_finish bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed boolean;
BEGIN
    DELETE FROM {schema}.limits WHERE function_id = ANY (in_functions) AND function_id <> ALL (in_limited);
    changed := FOUND;
    INSERT INTO {schema}.limits AS known (function_id, start_within, finish_within)
        SELECT * FROM unnest(in_limited, in_start, in_finish)
        ON CONFLICT (function_id) DO UPDATE
            SET start_within = EXCLUDED.start_within, finish_within = EXCLUDED.finish_within
            WHERE (known.start_within, known.finish_within) IS DISTINCT FROM (EXCLUDED.start_within, EXCLUDED.finish_within);
    -- Whoever publishes remembers which functions are limited until the version changes.
    IF FOUND OR changed THEN
        UPDATE {schema}.subscriptions_version
            SET version = version + 1, limited = EXISTS (SELECT FROM {schema}.limits);
    END IF;
END $$;

-- Begins a session, with the functions whose runs have limits.
CREATE FUNCTION {schema}.register(
    in_store text, in_name text, in_now bigint, in_lease bigint, forget_before bigint,
    in_functions text[], sub_types text[], sub_functions text[], await_types text[], await_functions text[],
    in_limited text[], in_start bigint[], in_finish bigint[],
    OUT id bigint, OUT given_back bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO id, given_back FROM {schema}.register(in_store, in_name, in_now, in_lease, forget_before,
        in_functions, sub_types, sub_functions, await_types, await_functions);
    PERFORM {schema}.limit_functions(in_functions, in_limited, in_start, in_finish);
END $$;

-- Ends unfinished runs of a function that no living session has, silent sessions that have it, its pause and its limits, and drops
-- what was wanted for it. A session that comes back registers again, and wants it again.
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
    -- The events, the version and then runs, as `begin_to_await` locks them.
    LOCK TABLE {schema}.events IN ROW EXCLUSIVE MODE;
    PERFORM {schema}.resume(in_store, in_function);
    PERFORM {schema}.limit_functions(ARRAY[in_function], '{}', '{}', '{}');
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

-- A time that is not beyond the last that anybody can wait for; NULL if there is none.
CREATE FUNCTION {schema}.moment(in_time bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN in_time > {last} THEN {last} ELSE in_time END;
END $$;

-- Keeps the times of new runs. They count from when a run is due, from its publish, or from when a worker was heard of within a day,
-- whichever is latest: a clock that is wrong gives too much time and never too little.
CREATE FUNCTION {schema}.limit_runs(in_runs bigint[], in_functions text[], in_dues bigint[], in_nows bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    last_seen bigint := (SELECT seen FROM {schema}.subscriptions_version);
    own {schema}.limits;
    since bigint;
BEGIN
    FOR i IN 1..cardinality(in_runs) LOOP
        CONTINUE WHEN in_runs[i] IS NULL;
        SELECT * INTO own FROM {schema}.limits WHERE function_id = in_functions[i];
        CONTINUE WHEN NOT FOUND;
        since := {schema}.moment(greatest(in_dues[i], in_nows[i]));
        IF last_seen > since AND last_seen - since <= 86400000 THEN
            since := {schema}.moment(last_seen);
        END IF;
        -- Sums of moments fit.
        UPDATE {schema}.runs SET limits_since = since,
            start_by = {schema}.moment(since + {schema}.moment(own.start_within)),
            finish_by = {schema}.moment(since + {schema}.moment(own.finish_within))
            WHERE number = in_runs[i];
    END LOOP;
END $$;

-- Makes a failed or cancelled run due again, with its time anew.
CREATE FUNCTION {schema}.rerun_limited(
    in_store text, in_id text, in_now bigint, in_seq bigint,
    o_seqs integer[], t_seqs integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT {schema}.rerun_from(in_store, in_id, in_now, in_seq, o_seqs, t_seqs, t_types, t_keys, t_afters, t_values) THEN
        RETURN false;
    END IF;
    UPDATE {schema}.runs SET limits_since = in_now,
        start_by = {schema}.moment(start_by + in_now - limits_since), finish_by = {schema}.moment(finish_by + in_now - limits_since)
        WHERE id = in_id AND limits_since IS NOT NULL;
    RETURN true;
END $$;

-- Ends those of these runs whose time is over, each with its result, if they have started or not as the result says; answers with their
-- ids. If it was sent before, also with those that it has ended then.
CREATE FUNCTION {schema}.expire(
    in_store text, in_resent boolean, in_now bigint, in_runs bigint[], in_started boolean[], in_results bytea[]
) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    over bigint[];
    before bigint[] := '{}';
BEGIN
    PERFORM {schema}.lock_families(in_runs, in_runs);
    over := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (in_runs) AND finished_at IS NULL
        AND (started_at IS NOT NULL) = in_started[array_position(in_runs, number)]
        AND (finish_by <= in_now OR started_at IS NULL AND start_by <= in_now)
        ORDER BY number FOR UPDATE);
    IF in_resent THEN
        before := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (in_runs) AND status = 'cancelled'
            AND finished_at = in_now AND result = in_results[array_position(in_runs, number)]);
    END IF;
    IF cardinality(over) > 0 THEN
        UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now,
            result = in_results[array_position(in_runs, number)]
            WHERE number = ANY (over);
        PERFORM pg_notify('{channel}', in_store);
    END IF;
    RETURN ARRAY(SELECT id FROM {schema}.runs WHERE number = ANY (over || before) ORDER BY array_position(in_runs, number));
END $$;
