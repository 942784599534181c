-- Fenced writes of workers. Each statement of a volatile function sees what was committed before it began.

-- Writes a batch of commits; answers with the places of those whose lease was lost, or NULL if none was.
-- Within a batch nothing may follow the commit that ends a run's lease, and no entry may come twice.
CREATE FUNCTION {schema}.commit(
    in_store text, in_resent boolean,
    in_runs bigint[], in_workers bigint[], in_tokens bigint[], in_nows bigint[],
    -- What becomes of runs. The first is the place of the commit; the status `skipped` removes the run.
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[],
    -- Journal entries.
    e_places integer[], e_seqs integer[], e_attempts integer[], e_dues bigint[], e_starts bigint[], e_ends bigint[],
    e_kinds text[], e_states text[], e_paths text[], e_types text[], e_values bytea[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    held integer[];
    lost integer[];
    skipped bigint[];
BEGIN
    -- The one lock that decides: whoever claims or releases a run changes its row.
    SELECT array_agg(place) INTO held FROM (
        SELECT asked.place::integer FROM unnest(in_runs, in_workers, in_tokens, in_nows)
            WITH ORDINALITY AS asked (run, worker, token, now, place)
        JOIN {schema}.runs ON runs.number = asked.run AND runs.worker = asked.worker AND runs.token = asked.token
        JOIN {schema}.workers ON workers.id = asked.worker AND workers.lease_until > asked.now
        ORDER BY runs.number FOR UPDATE OF runs
    ) AS locked;
    IF held IS NULL OR cardinality(held) < cardinality(in_runs) THEN
        lost := ARRAY(SELECT place FROM generate_series(1, cardinality(in_runs)) AS place
                      WHERE held IS NULL OR place <> ALL (held));
    END IF;
    IF cardinality(e_places) > 0 THEN
        INSERT INTO {schema}.steps
            (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        SELECT in_runs[place], started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value
        FROM unnest(e_places, e_seqs, e_attempts, e_dues, e_starts, e_ends, e_kinds, e_states, e_paths, e_types, e_values)
            AS entry (place, seq, attempts, due_at, started_at, finished_at, kind, state, path, type_name, value)
        WHERE lost IS NULL OR place <> ALL (lost)
        ON CONFLICT (run, seq) DO UPDATE SET
            started_at = excluded.started_at, due_at = excluded.due_at, finished_at = excluded.finished_at,
            attempts = excluded.attempts, kind = excluded.kind, state = excluded.state, path = excluded.path,
            type_name = excluded.type_name, value = excluded.value;
    END IF;
    IF cardinality(end_places) > 0 THEN
        UPDATE {schema}.runs SET
            status = ending.status, due_at = ending.due_at, worker = NULL,
            failed_attempts = coalesce(ending.failures, runs.failed_attempts),
            result = coalesce(ending.result, runs.result),
            finished_at = CASE WHEN ending.status IN ('completed', 'failed') THEN in_nows[ending.place] END
        FROM unnest(end_places, end_statuses, end_dues, end_failures, end_results)
            AS ending (place, status, due_at, failures, result)
        WHERE runs.number = in_runs[ending.place] AND ending.status <> 'skipped'
            AND (lost IS NULL OR ending.place <> ALL (lost));
        IF 'skipped' = ANY (end_statuses) THEN
            skipped := ARRAY(SELECT in_runs[place] FROM unnest(end_places, end_statuses) AS ending (place, status)
                             WHERE status = 'skipped' AND (lost IS NULL OR place <> ALL (lost)));
            PERFORM {schema}.skip(skipped);
        END IF;
        IF EXISTS (SELECT FROM unnest(end_places, end_dues) AS ending (place, due_at)
                   WHERE due_at <= in_nows[place] AND (lost IS NULL OR place <> ALL (lost))) THEN
            PERFORM pg_notify('{channel}', in_store);
        END IF;
    END IF;
    IF in_resent AND lost IS NOT NULL THEN
        lost := {schema}.not_ended(lost, in_runs, in_tokens, end_places, end_statuses, end_dues, end_failures, end_results);
    END IF;
    RETURN lost;
END $$;

-- Of the lost ones, those that have not ended just as the commit would have ended them. The others were written the
-- first time, when the answer was lost.
CREATE FUNCTION {schema}.not_ended(
    lost integer[], in_runs bigint[], in_tokens bigint[],
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    ended integer[];
BEGIN
    ended := ARRAY(
        SELECT ending.place FROM unnest(end_places, end_statuses, end_dues, end_failures, end_results)
            AS ending (place, status, due_at, failures, result)
        LEFT JOIN {schema}.runs ON runs.number = in_runs[ending.place]
        WHERE CASE WHEN ending.status = 'skipped' THEN runs.number IS NULL ELSE
            runs.token = in_tokens[ending.place] AND runs.worker IS NULL AND runs.status = ending.status
            AND runs.due_at IS NOT DISTINCT FROM ending.due_at
            AND runs.failed_attempts = coalesce(ending.failures, runs.failed_attempts)
            AND (ending.result IS NULL OR runs.result = ending.result) END
    );
    lost := ARRAY(SELECT place FROM unnest(lost) AS place WHERE place <> ALL (ended));
    RETURN CASE WHEN cardinality(lost) > 0 THEN lost END;
END $$;

-- Forgets runs whose functions do not want their events. The lock makes the last of an event's runs see that it is that.
CREATE FUNCTION {schema}.skip(in_runs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    left_alone bigint[];
BEGIN
    DELETE FROM {schema}.steps WHERE run = ANY (in_runs);
    WITH gone AS (DELETE FROM {schema}.runs WHERE number = ANY (in_runs) RETURNING event)
        SELECT array_agg(DISTINCT event) INTO left_alone FROM gone;
    PERFORM FROM {schema}.events WHERE number = ANY (left_alone) ORDER BY number FOR UPDATE;
    UPDATE {schema}.events SET idle = true
        WHERE number = ANY (left_alone) AND NOT EXISTS (SELECT FROM {schema}.runs WHERE event = events.number);
END $$;
