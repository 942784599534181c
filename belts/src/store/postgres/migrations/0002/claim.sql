-- Which runs a worker gets, with their journals, in one answer.

DROP FUNCTION IF EXISTS {schema}.claim;

-- Rows are tagged: 0 is the one with `given_back` in `number` and the next due time in `due_at`; 1 is a function with due
-- runs that were not asked for; 2 is a run; 3 is a step of a run. The session is not known where no row has the tag 0.
CREATE FUNCTION {schema}.claim(
    in_store text, in_call bigint, in_worker bigint, in_now bigint,
    in_limit bigint, in_functions text[], in_limits bigint[], in_only text,
    in_look boolean, in_grace bigint
) RETURNS TABLE (
    tag integer, number bigint, token bigint, due_at bigint, started_at bigint, finished_at bigint,
    count_a integer, count_b integer, text_a text, text_b text, text_c text, text_d text, content bytea,
    text_e text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    given_back bigint := {schema}.revive(in_store, in_worker, in_now);
    head_functions text[];
    head_dues bigint[];
    quota_functions text[];
    quotas bigint[];
    quota_dues bigint[];
    chosen bigint[];
BEGIN
    -- Locked, so that whoever ends the session sees its new runs.
    PERFORM FROM {schema}.workers WHERE id = in_worker
        AND (barred_store IS DISTINCT FROM in_store OR barred_call < in_call) FOR SHARE;
    IF given_back IS NULL OR NOT FOUND THEN
        RETURN;
    END IF;
    IF in_look THEN
        given_back := given_back + {schema}.bury(in_store, in_now, in_grace);
    END IF;
    given_back := given_back + {schema}.give_back_ended(in_store, in_now);

    IF in_only IS NOT NULL THEN
        chosen := ARRAY(SELECT number FROM {schema}.runs
            WHERE id = in_only AND worker IS NULL AND status IN ('pending', 'suspended', 'stopped') AND in_limit > 0
                AND function_id IN (SELECT f FROM unnest(in_functions, in_limits) AS asked (f, l) WHERE l > 0)
            FOR UPDATE);
    ELSE
        SELECT * INTO head_functions, head_dues FROM {schema}.heads();
        SELECT array_agg(f), array_agg(least(l, in_limit)), array_agg(due) INTO quota_functions, quotas, quota_dues
            FROM unnest(in_functions, in_limits) AS asked (f, l)
            JOIN unnest(head_functions, head_dues) AS head (h, due) ON f = h AND due <= in_now
            WHERE least(l, in_limit) > 0;
        -- From here on nobody looks before the first waiting run: what was claimed lately lies there, dead, in the index.
        IF cardinality(quotas) > 1 THEN
            -- How many of each function are among those that have been due longest.
            SELECT array_agg(f), array_agg(n), array_agg(first) INTO quota_functions, quotas, quota_dues FROM (
                SELECT f, first, count(*) AS n FROM (
                    SELECT f, first FROM unnest(quota_functions, quotas, quota_dues) AS quota (f, l, first), LATERAL (
                        SELECT number, due_at FROM {schema}.runs
                        WHERE function_id = f AND due_at IS NOT NULL AND due_at >= first AND due_at <= in_now
                        ORDER BY due_at, number LIMIT l) AS run
                    ORDER BY run.due_at, run.number LIMIT in_limit) AS longest
                GROUP BY f, first) AS counted;
        END IF;
        -- Those that another worker is about to get are passed over.
        SELECT array_agg(run.number ORDER BY run.due_at, run.number) INTO chosen
            FROM unnest(quota_functions, quotas, quota_dues) AS quota (f, l, first), LATERAL (
                SELECT number, due_at FROM {schema}.runs
                WHERE function_id = f AND due_at IS NOT NULL AND due_at >= first AND due_at <= in_now
                ORDER BY due_at, number LIMIT l FOR UPDATE SKIP LOCKED) AS run;
    END IF;

    IF cardinality(chosen) > 0 THEN
        RETURN QUERY WITH taken AS (
            UPDATE {schema}.runs SET status = 'running', due_at = NULL, worker = in_worker, token = token + 1,
                started_at = coalesce(started_at, in_now) WHERE number = ANY (chosen) RETURNING *
        ) SELECT 2, taken.number, taken.token, NULL::bigint, taken.started_at, NULL::bigint,
            taken.failed_attempts, taken.retries, taken.id, taken.function_id, events.id, events.event_type, events.payload,
            events.traceparent
            FROM taken, LATERAL (SELECT * FROM {schema}.events WHERE events.number = taken.number >> 16 OFFSET 0) AS events
            ORDER BY array_position(chosen, taken.number);
        -- The runs are locked by now, and a new statement sees all that was written to them before.
        RETURN QUERY SELECT 3, steps.run, NULL::bigint, steps.due_at, steps.started_at, steps.finished_at,
            steps.seq, steps.attempts, steps.path, steps.kind, steps.state, steps.type_name, steps.value, NULL
            FROM unnest(chosen) AS choice (run),
                LATERAL (SELECT * FROM {schema}.steps WHERE steps.run = choice.run ORDER BY seq OFFSET 0) AS steps;
    END IF;
    IF in_only IS NOT NULL THEN
        SELECT * INTO head_functions, head_dues FROM {schema}.heads();
    ELSIF cardinality(chosen) > 0 THEN
        -- Only where runs were taken there is another first one now.
        SELECT array_agg(h), array_agg(next_due) INTO head_functions, head_dues FROM (
            SELECT h, CASE WHEN h = ANY (quota_functions) THEN (
                SELECT due_at FROM {schema}.runs WHERE function_id = h AND due_at IS NOT NULL AND due_at >= due
                ORDER BY due_at LIMIT 1
            ) ELSE due END AS next_due
            FROM unnest(head_functions, head_dues) AS head (h, due)) AS head;
    END IF;
    RETURN QUERY SELECT 0, given_back, NULL::bigint,
        (SELECT min(due) FROM unnest(head_functions, head_dues) AS head (h, due) WHERE h = ANY (in_functions)),
        NULL::bigint, NULL::bigint, NULL::integer, NULL::integer, NULL, NULL, NULL, NULL, NULL::bytea, NULL;
    RETURN QUERY SELECT 1, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::integer, NULL::integer, h, NULL, NULL, NULL, NULL::bytea, NULL
        FROM unnest(head_functions, head_dues) AS head (h, due)
        WHERE due <= in_now AND h <> ALL (in_functions) LIMIT {unknown};
END $$;
