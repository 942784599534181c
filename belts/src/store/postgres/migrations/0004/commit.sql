-- Fenced writes of workers: by the worker and the token of a run's row alone. A lease whose time has ended stands until
-- somebody takes the run.

-- Locks the runs of a batch together with those that are cancelled by it, in the one order in which all lock them.
CREATE FUNCTION {schema}.lock_batch(in_runs bigint[], end_places integer[], end_statuses text[], in_cancelled bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(in_cancelled) > 0 OR end_statuses && ARRAY['failed', 'cancelled'] THEN
        PERFORM {schema}.lock_families(in_runs, in_cancelled || ARRAY(
            SELECT in_runs[place] FROM unnest(end_places, end_statuses) AS ending (place, status)
            WHERE status IN ('failed', 'cancelled')));
    END IF;
    IF cardinality(in_cancelled) > 0 THEN
        -- Where none of them has others below, none is locked yet.
        PERFORM FROM {schema}.runs WHERE number = ANY (in_runs || in_cancelled) ORDER BY number FOR UPDATE;
    END IF;
END $$;

-- Writes a batch of commits; answers with the places of those whose lease was lost, or NULL if none was.
-- Within a batch nothing may follow the commit that ends a run's lease, and no entry may come twice.
-- The elements of an array are counted off, which for many arrays is faster than to unnest them.
CREATE OR REPLACE FUNCTION {schema}.commit(
    in_store text, in_resent boolean,
    in_runs bigint[], in_workers bigint[], in_tokens bigint[],
    -- The workers are of no use any more: they were each once, with the latest time that it said.
    in_sessions bigint[], in_session_nows bigint[],
    -- What becomes of runs. The first is the place of the commit; the status `skipped` removes the run, and one that is `put-off` is
    -- suspended until its time, whatever arrives.
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[],
    end_finishes bigint[], end_leave_due boolean[],
    -- Journal entries.
    e_places integer[], e_seqs integer[], e_attempts integer[], e_dues bigint[], e_starts bigint[], e_ends bigint[],
    e_kinds text[], e_states text[], e_paths text[], e_types text[], e_values bytea[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    held integer[];
    lost integer[];
    fresh integer[];
    ending bigint[];
    may_wait bigint[];
BEGIN
    -- Two conditions, since the first is faster without a query in it.
    IF end_statuses && ARRAY['failed', 'cancelled'] THEN
        IF EXISTS (SELECT FROM unnest(end_places) AS place, LATERAL (
                SELECT has_attached FROM {schema}.runs WHERE number = in_runs[place] OFFSET 0) AS ending WHERE has_attached) THEN
            PERFORM {schema}.lock_batch(in_runs, end_places, end_statuses, '{}');
        END IF;
    END IF;
    -- The one lock that decides: whoever claims or gives back a run changes its row. The runs come sorted. A plain `=` would
    -- tell the planner that the worker is not NULL, and so let it read all of `runs_worker`.
    held := ARRAY(
        SELECT place FROM generate_series(1, cardinality(in_runs)) AS place, LATERAL (
            SELECT FROM {schema}.runs
            WHERE number = in_runs[place] AND worker IS NOT DISTINCT FROM in_workers[place] AND token = in_tokens[place]
            FOR UPDATE) AS locked);
    IF cardinality(held) < cardinality(in_runs) THEN
        lost := ARRAY(SELECT place FROM generate_series(1, cardinality(in_runs)) AS place WHERE place <> ALL (held));
    END IF;
    IF cardinality(e_places) > 0 THEN
        fresh := ARRAY(
            SELECT i FROM generate_series(1, cardinality(e_places)) AS i
            WHERE (lost IS NULL OR e_places[i] <> ALL (lost))
                AND (SELECT true FROM {schema}.steps WHERE run = in_runs[e_places[i]] AND seq = e_seqs[i]) IS NULL);
        INSERT INTO {schema}.steps
            (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        SELECT in_runs[e_places[i]], e_starts[i], e_dues[i], e_ends[i], e_seqs[i], e_attempts[i],
            e_kinds[i], e_states[i], e_paths[i], e_types[i], e_values[i]
        FROM unnest(fresh) AS i;
        IF cardinality(fresh) < cardinality(e_places) THEN
            FOR i IN 1..cardinality(e_places) LOOP
                CONTINUE WHEN i = ANY (fresh) OR e_places[i] = ANY (lost);
                UPDATE {schema}.steps SET
                    started_at = e_starts[i], due_at = e_dues[i], finished_at = e_ends[i], attempts = e_attempts[i],
                    kind = e_kinds[i], state = e_states[i], path = e_paths[i], type_name = e_types[i], value = e_values[i]
                -- A copy that comes late, since it was sent again meanwhile, must not undo what came after it.
                WHERE run = in_runs[e_places[i]] AND seq = e_seqs[i]
                    AND (state = 'waiting' OR e_states[i] <> 'waiting') AND attempts <= e_attempts[i];
            END LOOP;
        END IF;
    END IF;
    IF cardinality(end_places) > 0 THEN
        -- In place of the lost ones stands a run that is none.
        ending := ARRAY(SELECT CASE WHEN place = ANY (lost) THEN 0 ELSE in_runs[place] END FROM unnest(end_places) AS place);
        WITH ended AS (UPDATE {schema}.runs SET
            status = CASE end_statuses[array_position(ending, number)] WHEN 'put-off' THEN 'suspended'
                ELSE end_statuses[array_position(ending, number)] END,
            keeps_time = CASE end_statuses[array_position(ending, number)] WHEN 'put-off' THEN true END,
            due_at = end_dues[array_position(ending, number)],
            worker = NULL,
            failed_attempts = coalesce(end_failures[array_position(ending, number)], failed_attempts),
            result = coalesce(end_results[array_position(ending, number)], result),
            finished_at = end_finishes[array_position(ending, number)]
        WHERE number = ANY (ending) AND end_statuses[array_position(ending, number)] <> 'skipped'
        RETURNING number, status, waits, keeps_time)
        SELECT array_agg(number) INTO may_wait FROM ended WHERE waits AND status = 'suspended' AND keeps_time IS NULL;
        -- The runs are locked by now, and a new statement sees what has arrived until then. Nobody has this name, so all hear of it.
        IF may_wait IS NOT NULL AND {schema}.hurry(may_wait, coalesce((SELECT max(now) FROM unnest(in_session_nows) AS session (now)),
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint)) THEN
            PERFORM pg_notify('{channel}', '');
        END IF;
        IF 'skipped' = ANY (end_statuses) THEN
            PERFORM {schema}.skip(ARRAY(SELECT run FROM unnest(ending, end_statuses) AS skipped (run, status)
                                        WHERE status = 'skipped'));
        END IF;
        IF EXISTS (SELECT FROM unnest(ending, end_leave_due) AS left_due (run, is_due) WHERE is_due AND run > 0) THEN
            PERFORM pg_notify('{channel}', in_store);
        END IF;
    END IF;
    IF in_resent AND lost IS NOT NULL THEN
        lost := {schema}.not_ended(lost, in_runs, in_tokens, end_places, end_statuses, end_dues, end_failures, end_results);
    END IF;
    RETURN lost;
END $$;
