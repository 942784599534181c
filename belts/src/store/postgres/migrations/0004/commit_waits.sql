-- Fenced writes of workers with entries that wait.

-- Makes sure that what is awaited by a batch of commits is given places, and that nothing is on its way to a wait that they open or
-- close. Before any row is locked.
CREATE FUNCTION {schema}.before_waits(
    in_runs bigint[], in_now bigint, end_statuses text[], e_places integer[], t_entries integer[], t_types text[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    functions text[];
    types text[];
BEGIN
    IF cardinality(t_entries) > 0 THEN
        -- The lock of places comes before runs.
        SELECT array_agg(function_id), array_agg(t) INTO functions, types
            FROM unnest(t_entries, t_types) AS asked (entry_of, t), LATERAL (
                SELECT function_id FROM {schema}.runs WHERE number = in_runs[e_places[entry_of]] OFFSET 0) AS waiting;
        PERFORM {schema}.begin_to_await('', functions, types, in_now, NULL);
        PERFORM {schema}.show_all_due('', in_now, in_now);
        PERFORM pg_advisory_xact_lock_shared({places});
        IF NOT {schema}.all_awaited(functions, types) THEN
            -- A purge was first, which saw no such run; this is tried again.
            RAISE EXCEPTION 'a type is no longer awaited' USING ERRCODE = 'serialization_failure';
        END IF;
    ELSIF 'suspended' = ANY (end_statuses) THEN
        -- What is on its way to a wait that is closed here is not to make the run due.
        PERFORM pg_advisory_xact_lock_shared({places});
    END IF;
END $$;

-- Writes a batch of commits of which some have entries that open, move or close waits. It takes what the smaller `commit` takes; then
-- these entries by their places among all, each with the JSON of what it waits for; and the types of those that still wait, each with
-- its entry, its key, and what it is looked for behind.
CREATE FUNCTION {schema}.write_waits(
    in_store text, in_resent boolean,
    in_runs bigint[], in_workers bigint[], in_tokens bigint[],
    in_sessions bigint[], in_session_nows bigint[],
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[],
    end_finishes bigint[], end_leave_due boolean[],
    e_places integer[], e_seqs integer[], e_attempts integer[], e_dues bigint[], e_starts bigint[], e_ends bigint[],
    e_kinds text[], e_states text[], e_paths text[], e_types text[], e_values bytea[],
    w_entries integer[], w_waits text[],
    t_entries integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    in_run bigint;
    entry integer;
    passed {schema}.waits[];
    behind bigint;
    wait_key text;
    -- The next type. They come in the order of their entries.
    j integer := 1;
    still_waits boolean;
    -- The entries that are written, and of each where its places begin among all.
    written integer[] := '{}';
    begins integer[] := '{}';
    cursors bigint[] := '{}';
    lost integer[];
BEGIN
    PERFORM FROM (SELECT FROM generate_series(1, cardinality(in_runs)) AS place, LATERAL (
        SELECT FROM {schema}.runs WHERE number = in_runs[place] FOR UPDATE) AS locked) AS all_locked;
    FOR i IN 1..cardinality(w_entries) LOOP
        entry := w_entries[i];
        in_run := in_runs[e_places[entry]];
        CONTINUE WHEN NOT EXISTS (SELECT FROM {schema}.runs
                WHERE number = in_run AND token = in_tokens[e_places[entry]]
                    AND worker IS NOT DISTINCT FROM in_workers[e_places[entry]])
            OR EXISTS (SELECT FROM {schema}.steps WHERE run = in_run AND seq = e_seqs[entry]
                AND NOT ((state = 'waiting' OR e_states[entry] <> 'waiting') AND attempts <= e_attempts[entry]));
        written := written || i;
        begins := begins || cardinality(cursors) + 1;
        still_waits := false;
        passed := ARRAY(SELECT waits FROM {schema}.waits WHERE run = in_run AND seq = e_seqs[entry]);
        DELETE FROM {schema}.waits WHERE run = in_run AND seq = e_seqs[entry];
        WHILE t_entries[j] <= entry LOOP
            IF t_entries[j] < entry THEN
                -- Of one that is not written.
                j := j + 1;
                CONTINUE;
            END IF;
            still_waits := true;
            wait_key := coalesce('k' || t_keys[j], '');
            SELECT cursor INTO behind FROM unnest(passed) AS before
                WHERE before.event_type = t_types[j] AND before.wanted_key = wait_key;
            IF behind IS NULL THEN
                behind := {schema}.place_behind(in_run, t_types[j], wait_key, t_afters[j], t_values[j]);
            ELSIF t_afters[j] = 'place' THEN
                behind := greatest(behind, t_values[j]);
            END IF;
            INSERT INTO {schema}.waits (run, lane, cursor, seq, open, event_type, wanted_key)
                VALUES (in_run, hashtextextended(wait_key, 0), behind, e_seqs[entry], true, t_types[j], wait_key)
                ON CONFLICT (run, seq, event_type) DO UPDATE SET cursor = excluded.cursor;
            cursors := cursors || behind;
            j := j + 1;
        END LOOP;
        IF still_waits THEN
            UPDATE {schema}.runs SET waits = true WHERE number = in_run AND waits IS NULL;
        END IF;
    END LOOP;
    lost := {schema}.commit(in_store, in_resent, in_runs, in_workers, in_tokens, in_sessions, in_session_nows,
        end_places, end_statuses, end_dues, end_failures, end_results, end_finishes, end_leave_due,
        e_places, e_seqs, e_attempts, e_dues, e_starts, e_ends, e_kinds, e_states, e_paths, e_types, e_values);
    begins := begins || cardinality(cursors) + 1;
    FOR k IN 1..cardinality(written) LOOP
        entry := w_entries[written[k]];
        UPDATE {schema}.steps SET wait = w_waits[written[k]],
            wait_places = CASE WHEN begins[k] < begins[k + 1] THEN cursors[begins[k]:begins[k + 1] - 1] END
            WHERE run = in_runs[e_places[entry]] AND seq = e_seqs[entry];
    END LOOP;
    RETURN lost;
END $$;

CREATE OR REPLACE FUNCTION {schema}.commit(
    in_store text, in_resent boolean,
    in_runs bigint[], in_workers bigint[], in_tokens bigint[],
    in_sessions bigint[], in_session_nows bigint[],
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[],
    end_finishes bigint[], end_leave_due boolean[],
    e_places integer[], e_seqs integer[], e_attempts integer[], e_dues bigint[], e_starts bigint[], e_ends bigint[],
    e_kinds text[], e_states text[], e_paths text[], e_types text[], e_values bytea[],
    w_entries integer[], w_waits text[],
    t_entries integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.before_waits(in_runs, (SELECT max(at) FROM unnest(in_session_nows) AS session (at)), end_statuses, e_places,
        t_entries, t_types);
    PERFORM {schema}.lock_batch(in_runs, end_places, end_statuses, '{}');
    RETURN {schema}.write_waits(in_store, in_resent, in_runs, in_workers, in_tokens, in_sessions, in_session_nows,
        end_places, end_statuses, end_dues, end_failures, end_results, end_finishes, end_leave_due,
        e_places, e_seqs, e_attempts, e_dues, e_starts, e_ends, e_kinds, e_states, e_paths, e_types, e_values,
        w_entries, w_waits, t_entries, t_types, t_keys, t_afters, t_values);
END $$;
