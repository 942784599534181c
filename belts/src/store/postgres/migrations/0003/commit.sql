-- Fenced writes of workers: by the worker and the token of a run's row alone. A lease whose time has ended stands until
-- somebody takes the run.

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

-- Of the lost ones, those that have not ended just as the commit would have ended them. The others were written the
-- first time, when the answer was lost. One that has waited may have been due earlier.
CREATE OR REPLACE FUNCTION {schema}.not_ended(
    lost integer[], in_runs bigint[], in_tokens bigint[],
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    ended integer[];
BEGIN
    ended := ARRAY(
        SELECT ending.place FROM unnest(end_places, end_statuses, end_dues, end_failures, end_results)
            AS ending (place, status, due_at, failures, result)
        LEFT JOIN LATERAL (SELECT * FROM {schema}.runs WHERE number = in_runs[ending.place] OFFSET 0) AS runs ON true
        WHERE CASE WHEN ending.status = 'skipped' THEN runs.number IS NULL ELSE
            runs.token = in_tokens[ending.place] AND runs.worker IS NULL
            AND runs.status = CASE ending.status WHEN 'put-off' THEN 'suspended' ELSE ending.status END
            AND (runs.due_at IS NOT DISTINCT FROM ending.due_at OR ending.status = 'suspended' AND runs.waits)
            AND runs.failed_attempts = coalesce(ending.failures, runs.failed_attempts)
            AND (ending.result IS NULL OR runs.result = ending.result) END
    );
    lost := ARRAY(SELECT place FROM unnest(lost) AS place WHERE place <> ALL (ended));
    RETURN CASE WHEN cardinality(lost) > 0 THEN lost END;
END $$;

-- Forgets runs whose functions do not want their events. The lock makes the last of an event's runs see that it is that.
CREATE OR REPLACE FUNCTION {schema}.skip(in_runs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    left_alone bigint[];
BEGIN
    DELETE FROM {schema}.steps WHERE run = ANY (in_runs);
    DELETE FROM {schema}.runs WHERE number = ANY (in_runs);
    left_alone := ARRAY(SELECT DISTINCT run >> 16 FROM unnest(in_runs) AS run);
    PERFORM FROM {schema}.events WHERE number = ANY (left_alone) ORDER BY number FOR UPDATE;
    UPDATE {schema}.events SET idle = coalesce(place, -1) < 0, spent = CASE WHEN place >= 0 THEN true END
        WHERE number = ANY (left_alone) AND (SELECT true FROM {schema}.runs
            WHERE runs.number BETWEEN events.number << 16 AND events.number << 16 | 65535 LIMIT 1) IS NULL;
END $$;
