-- Which runs a worker gets, with their journals, in one answer; those of paused functions are left out, those whose time is over, and
-- those for which a limit of runs at once has no place.

-- Rows are tagged: 2 has in `places` how far flow options have been applied; 0 is the one with `given_back` in `number` and the next due time in `due_at`; 1 is a function with due
-- runs that were not asked for; 2 is a run, with its crashes in `finished_at` and its progress at the last in `due_at`; 3 is
-- a step of a run; 4 is an event type of due runs that the worker cannot read, and its function; 5 is an event that has arrived for
-- a run, with its place in `due_at`; 6 is a run that was started by another one, or was rerun from a step: its parent in `text_a`, how many
-- are above it in `count_a`, whether it is attached in `count_b`, and its generation in `due_at`. The session is not known where no row has the tag 0.
CREATE FUNCTION {schema}.claim(
    in_store text, in_call bigint, in_worker bigint, in_now bigint,
    in_limit bigint, in_max_bytes bigint, in_functions text[], in_limits bigint[],
    -- Pairs of a function and an event type that the worker can read for it. Where there is none it reads any.
    read_functions text[], read_types text[],
    in_only text, in_look boolean, in_grace bigint,
    -- Whether the rows with the tag 6 are known.
    in_families boolean,
    -- Whether the worker ends what is left out since its time is over; to others it would be due for ever.
    in_times boolean,
    -- The functions whose runs stand in lines, and their limits: triples of a function, a pool and how many.
    line_functions text[], limit_functions text[], limit_pools text[], limits bigint[]
) RETURNS TABLE (
    tag integer, number bigint, token bigint, due_at bigint, started_at bigint, finished_at bigint,
    count_a integer, count_b integer, text_a text, text_b text, text_c text, text_d text, content bytea,
    text_e text, places bigint[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    given_back bigint;
    head_functions text[];
    head_dues bigint[];
    head_numbers bigint[];
    quota_functions text[];
    quotas bigint[];
    quota_dues bigint[];
    quota_numbers bigint[];
    chosen bigint[];
    chosen_dues bigint[];
    waiting bigint[] := '{}';
    room bigint;
    line_quotas bigint[];
    visited bigint[] := '{}';
    more boolean := false;
    in_lines boolean := coalesce(cardinality(line_functions) > 0, false);
BEGIN
    -- Before any row is locked, as it is by everybody who counts places.
    IF in_lines THEN
        PERFORM pg_advisory_xact_lock({lines});
    END IF;
    IF EXISTS (SELECT FROM {schema}.lines WHERE function_id = ANY (in_functions) AND function_id <> ALL (line_functions)) THEN
        PERFORM {schema}.leave_lines(ARRAY(SELECT f FROM unnest(in_functions) AS f WHERE f <> ALL (line_functions)));
    END IF;
    -- Before any row is locked.
    IF EXISTS (SELECT FROM {schema}.events WHERE place = 0 AND coalesce(visible_at, 0) <= in_now) THEN
        PERFORM {schema}.show_due('', in_now, in_now);
    END IF;
    given_back := {schema}.revive(in_store, in_worker, in_now);
    -- Locked, so that whoever ends the session sees its new runs.
    PERFORM FROM {schema}.workers WHERE id = in_worker
        AND (barred_store IS DISTINCT FROM in_store OR barred_call < in_call) FOR SHARE;
    IF given_back IS NULL OR NOT FOUND THEN
        RETURN;
    END IF;
    IF in_look THEN
        -- Whoever claims lives, even if its own lock is missing.
        UPDATE {schema}.workers SET missing_since = NULL WHERE id IN (
            SELECT id FROM {schema}.workers WHERE id = in_worker AND watched AND missing_since IS NOT NULL FOR UPDATE SKIP LOCKED);
        given_back := given_back + {schema}.bury(in_store, in_now, in_grace);
    END IF;
    given_back := given_back + {schema}.give_back_ended(in_store, in_now);

    IF in_only IS NOT NULL THEN
        chosen := ARRAY(SELECT number FROM {schema}.runs
            WHERE id = in_only AND worker IS NULL AND finished_at IS NULL AND in_limit > 0
                AND (NOT in_times OR coalesce(finish_by > in_now, true) AND (started_at IS NOT NULL OR coalesce(start_by > in_now, true)))
                AND NOT EXISTS (SELECT FROM {schema}.paused WHERE paused.function_id = runs.function_id)
                AND function_id IN (SELECT f FROM unnest(in_functions, in_limits) AS asked (f, l) WHERE l > 0)
                AND coalesce((SELECT event_type FROM {schema}.events WHERE events.number = runs.number >> 16) = ANY (
                    (SELECT array_agg(t) FROM unnest(read_functions, read_types) AS pair (f, t) WHERE f = function_id)::text[]), true)
                AND (lane_a IS NULL OR {schema}.full_lane(function_id, lane_a, lane_b, limit_functions, limit_pools, limits) IS NULL)
            FOR UPDATE);
        SELECT * INTO head_functions, head_dues, head_numbers FROM {schema}.first_claimable();
    ELSE
        SELECT * INTO head_functions, head_dues, head_numbers FROM {schema}.first_claimable();
        SELECT array_agg(f), array_agg(least(l, in_limit)), array_agg(due), array_agg(first)
            INTO quota_functions, quotas, quota_dues, quota_numbers
            FROM unnest(in_functions, in_limits) AS asked (f, l)
            JOIN unnest(head_functions, head_dues, head_numbers) AS head (h, due, first) ON f = h AND due <= in_now
            WHERE least(l, in_limit) > 0;
        -- From here on nobody looks before the first waiting run: what was claimed lately lies there, dead, in the index.
        IF cardinality(quotas) > 1 AND NOT in_lines THEN
            -- How many of each function there are when they take turns, each with the run that has been due longest.
            SELECT array_agg(f), array_agg(n), array_agg(due), array_agg(first)
                INTO quota_functions, quotas, quota_dues, quota_numbers FROM (
                SELECT f, due, first, count(*) AS n FROM (
                    SELECT f, due, first FROM (
                        SELECT f, due, first, run.due_at, run.number,
                            row_number() OVER (PARTITION BY f ORDER BY run.due_at, run.number) AS turn
                        FROM unnest(quota_functions, quotas, quota_dues, quota_numbers) AS quota (f, l, due, first), LATERAL (
                            SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = f
                            OFFSET 0) AS readable, LATERAL (
                            SELECT number, due_at FROM {schema}.runs
                            WHERE function_id = f AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
                                AND (NOT in_times OR coalesce(finish_by > in_now, true) AND (started_at IS NOT NULL OR coalesce(start_by > in_now, true)))
                                AND due_at <= in_now AND (types IS NULL OR coalesce((SELECT event_type FROM {schema}.events
                                    WHERE events.number = runs.number >> 16) = ANY (types), true))
                            ORDER BY due_at, number LIMIT l) AS run) AS turns
                    ORDER BY turn, due_at, number LIMIT in_limit) AS taken
                GROUP BY f, due, first) AS counted;
        END IF;
        IF in_lines THEN
            SELECT coalesce(array_agg(f), '{}'), coalesce(array_agg(least(l, in_limit)), '{}') INTO line_functions, line_quotas
                FROM unnest(in_functions, in_limits) AS asked (f, l)
                WHERE f = ANY (line_functions) AND least(l, in_limit) > 0
                    AND NOT EXISTS (SELECT FROM {schema}.paused WHERE paused.function_id = f);
            PERFORM {schema}.enter_lines(array_agg(h), array_agg(due), array_agg(first), in_now)
                FROM unnest(head_functions, head_dues, head_numbers) AS head (h, due, first) WHERE h = ANY (line_functions);
            more := {schema}.unpark(line_functions, limit_functions, limit_pools, limits);
            visited := {schema}.visit_lines(line_functions, line_quotas, read_functions, read_types, limit_functions, limit_pools, limits);
            -- What stands in no line, or in one without a limit, is one group; the groups of a function go round.
            SELECT array_agg(number ORDER BY turn, due_at, number), array_agg(due_at ORDER BY turn, due_at, number)
                INTO chosen, chosen_dues FROM (
                SELECT number, due_at, turn FROM (
                    SELECT f, number, due_at, row_number() OVER (PARTITION BY f ORDER BY round, at, number) AS turn FROM (
                        SELECT f, number, due_at,
                            coalesce(at, 1000 * min(place) OVER (PARTITION BY f, grp)) AS at,
                            row_number() OVER (PARTITION BY f, grp ORDER BY place, number) AS round
                        FROM (
                            SELECT f, run.number, run.due_at, run.due_at AS place, '' AS grp, NULL::bigint AS at
                            FROM unnest(quota_functions, quotas, quota_dues, quota_numbers) AS quota (f, l, due, first), LATERAL (
                                SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = f
                                OFFSET 0) AS readable, LATERAL (
                                SELECT number, due_at FROM {schema}.runs
                                WHERE function_id = f AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
                                    AND (NOT in_times OR coalesce(finish_by > in_now, true) AND (started_at IS NOT NULL OR coalesce(start_by > in_now, true)))
                                    AND due_at <= in_now AND (types IS NULL OR coalesce((SELECT event_type FROM {schema}.events
                                        WHERE events.number = runs.number >> 16) = ANY (types), true))
                                    AND (shift IS NULL OR f <> ALL (line_functions))
                                ORDER BY due_at, number LIMIT l FOR UPDATE SKIP LOCKED) AS run
                            UNION ALL
                            SELECT function_id, number, due_at, place, grp, CASE WHEN grp <> '' THEN at END
                            FROM {schema}.heads_of_lines(visited, in_limit, in_now, limit_functions, limit_pools, limits)
                        ) AS found
                    ) AS grouped
                ) AS turns WHERE turn <= (SELECT l FROM unnest(in_functions, in_limits) AS asked (g, l) WHERE g = f LIMIT 1)
                ORDER BY turn, due_at, number LIMIT in_limit) AS choice;
        ELSE
            -- Those that another worker is about to get are passed over.
            SELECT array_agg(number ORDER BY turn, due_at, number), array_agg(due_at ORDER BY turn, due_at, number)
                INTO chosen, chosen_dues FROM (
                SELECT run.number, run.due_at, row_number() OVER (PARTITION BY f ORDER BY run.due_at, run.number) AS turn
                FROM unnest(quota_functions, quotas, quota_dues, quota_numbers) AS quota (f, l, due, first), LATERAL (
                    SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = f
                    OFFSET 0) AS readable, LATERAL (
                    SELECT number, due_at FROM {schema}.runs
                    WHERE function_id = f AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
                        AND (NOT in_times OR coalesce(finish_by > in_now, true) AND (started_at IS NOT NULL OR coalesce(start_by > in_now, true)))
                        AND due_at <= in_now AND (types IS NULL OR coalesce((SELECT event_type FROM {schema}.events
                            WHERE events.number = runs.number >> 16) = ANY (types), true))
                    ORDER BY due_at, number LIMIT l FOR UPDATE SKIP LOCKED) AS run) AS turns;
        END IF;
        IF cardinality(chosen) > 1 THEN
            IF EXISTS (SELECT FROM {schema}.awaited) THEN
                waiting := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (chosen) AND waits);
            END IF;
            -- As many as fit, in the order of the turns. The lengths are known without reading what is long.
            chosen := ARRAY(SELECT run FROM (
                SELECT run, due, place, sum(
                    coalesce((SELECT octet_length(payload) FROM {schema}.events WHERE events.number = run >> 16), 0)
                    + coalesce((SELECT sum(octet_length(value) + octet_length(path)) FROM {schema}.steps
                        WHERE steps.run = choice.run), 0)
                    + CASE WHEN run = ANY (waiting) THEN coalesce((SELECT sum(first.bytes)
                        FROM {schema}.candidates(ARRAY[run]) AS first WHERE first.nth = 1), 0) ELSE 0 END) OVER (ORDER BY place) AS bytes
                FROM unnest(chosen, chosen_dues) WITH ORDINALITY AS choice (run, due, place)) AS sized
                WHERE place = 1 OR bytes <= in_max_bytes ORDER BY due, run);
        END IF;
    END IF;

    IF cardinality(chosen) > 0 THEN
        -- A token has a part that counts and one that nobody can foresee.
        RETURN QUERY WITH taken AS (
            UPDATE {schema}.runs SET status = 'running', due_at = NULL, worker = in_worker, keeps_time = NULL, line_at = NULL,
                token = ((token >> 29) + 1) << 29 | floor(random() * 536870912)::bigint,
                started_at = coalesce(started_at, in_now) WHERE number = ANY (chosen) RETURNING *
        ) (SELECT 2, taken.number, taken.token, taken.crash_progress, taken.started_at, taken.crashes::bigint,
            taken.failed_attempts, taken.retries, taken.id, taken.function_id, events.id, events.event_type, events.payload,
            events.traceparent,
            CASE WHEN taken.flow IN ('delayed', 'debounced', 'batched', 'queues') THEN ARRAY[1::bigint]
                WHEN taken.flow IS NOT NULL THEN ARRAY[2::bigint] END
            FROM taken LEFT JOIN LATERAL (SELECT * FROM {schema}.events WHERE events.number = taken.number >> 16 OFFSET 0)
                AS events ON true
            ORDER BY array_position(chosen, taken.number))
        UNION ALL
        SELECT 6, taken.number, NULL, taken.generation::bigint, NULL, NULL,
            taken.parent_depth, taken.attached::integer, taken.parent, NULL, NULL, NULL, NULL, NULL, NULL
            FROM taken WHERE in_families AND (taken.parent IS NOT NULL OR taken.generation IS NOT NULL);
        -- The runs are locked by now, and a new statement sees all that was written to them before.
        RETURN QUERY SELECT 3, steps.run, NULL::bigint, steps.due_at, steps.started_at, steps.finished_at,
            steps.seq, steps.attempts, steps.path, steps.kind, steps.state, steps.type_name, steps.value, steps.wait,
            steps.wait_places
            FROM unnest(chosen) AS choice (run),
                LATERAL (SELECT * FROM {schema}.steps WHERE steps.run = choice.run ORDER BY seq OFFSET 0) AS steps;
        IF EXISTS (SELECT FROM {schema}.awaited) THEN
            waiting := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (chosen) AND waits);
        END IF;
        IF cardinality(waiting) > 0 THEN
            room := in_max_bytes - (SELECT sum(
                coalesce((SELECT octet_length(payload) FROM {schema}.events WHERE events.number = run >> 16), 0)
                + coalesce((SELECT sum(octet_length(value) + octet_length(path)) FROM {schema}.steps
                    WHERE steps.run = choice.run), 0)) FROM unnest(chosen) AS choice (run))
                - coalesce((SELECT sum(first.bytes) FROM {schema}.candidates(waiting) AS first WHERE first.nth = 1), 0);
            RETURN QUERY SELECT 5, found.run, NULL::bigint, found.place, NULL::bigint, NULL::bigint,
                found.seq, NULL::integer, found.id, found.event_type, NULL, NULL, found.payload, NULL, NULL::bigint[]
                FROM {schema}.arrivals(waiting, room) AS found;
        END IF;
    END IF;
    IF cardinality(visited) > 0 THEN
        more := {schema}.settle_lines(visited, chosen, in_now, limit_functions, limit_pools, limits) OR more;
    END IF;
    -- What the worker cannot read is not waited for.
    RETURN QUERY SELECT 0, given_back, NULL::bigint,
        least((SELECT coalesce(visible_at, 0) FROM {schema}.events WHERE place = 0
            ORDER BY coalesce(visible_at, 0), number LIMIT 1), (SELECT min(run.due_at) FROM unnest(head_functions, head_dues, head_numbers) AS head (h, due, first), LATERAL (
                SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = h
                OFFSET 0) AS readable, LATERAL (
                SELECT due_at FROM {schema}.runs
                WHERE function_id = h AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
                    AND (types IS NULL OR coalesce((SELECT event_type FROM {schema}.events
                        WHERE events.number = runs.number >> 16) = ANY (types), true))
                ORDER BY due_at, number LIMIT 1) AS run
            WHERE h = ANY (in_functions)), CASE WHEN more THEN in_now END),
        NULL::bigint, NULL::bigint, NULL::integer, NULL::integer, NULL, NULL, NULL, NULL, NULL::bytea, NULL, NULL::bigint[];
    RETURN QUERY SELECT 1, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::integer, NULL::integer, h, NULL, NULL, NULL, NULL::bytea, NULL, NULL::bigint[]
        FROM unnest(head_functions, head_dues) AS head (h, due)
        WHERE due <= in_now AND h <> ALL (in_functions) LIMIT {unknown};
    -- They stay while others go, so they come to the head of the line.
    RETURN QUERY SELECT DISTINCT 4, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
        NULL::integer, NULL::integer, h, events.event_type, NULL, NULL, NULL::bytea, NULL, NULL::bigint[]
        FROM unnest(head_functions, head_dues, head_numbers) AS head (h, due, first), LATERAL (
            SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = h
            OFFSET 0) AS readable, LATERAL (
            SELECT number FROM {schema}.runs
            WHERE types IS NOT NULL AND function_id = h AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
                AND due_at <= in_now
            ORDER BY due_at, number LIMIT {unknown}) AS run, LATERAL (
            SELECT event_type FROM {schema}.events WHERE events.number = run.number >> 16 OFFSET 0) AS events
        WHERE h = ANY (in_functions) AND events.event_type <> ALL (types) LIMIT {unknown};
END $$;
