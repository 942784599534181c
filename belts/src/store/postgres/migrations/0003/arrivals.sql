-- What has arrived for waits.

-- The events that open waits of runs may find: of each wait the earliest, no more than sixteen, with their sizes. The event that started
-- the run is none of them.
CREATE FUNCTION {schema}.candidates(in_runs bigint[])
RETURNS TABLE (run bigint, seq integer, nth bigint, place bigint, event bigint, bytes bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT * FROM (
        SELECT wait.run, wait.seq, row_number() OVER (PARTITION BY wait.run, wait.seq ORDER BY found.place) AS nth,
            found.place, found.number, found.bytes
        FROM unnest(in_runs) AS asked (run), LATERAL (
            SELECT * FROM {schema}.waits WHERE waits.run = asked.run AND open OFFSET 0) AS wait, LATERAL (
            SELECT events.place, number, octet_length(payload)::bigint AS bytes FROM {schema}.events
            WHERE event_type = wait.event_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = wait.lane
                AND events.place > 0 AND events.place > wait.cursor
                AND coalesce('k' || correlation_key, '') = wait.wanted_key AND number <> wait.run >> 16
            ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0), events.place LIMIT {arrivals}) AS found) AS candidate
        WHERE candidate.nth <= {arrivals};
END $$;

-- The first of each wait, and more as far as there is room.
CREATE FUNCTION {schema}.arrivals(in_runs bigint[], in_room bigint)
RETURNS TABLE (run bigint, seq integer, place bigint, id text, event_type text, payload bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    candidate record;
    room bigint := in_room;
    full_run bigint;
    full_seq integer;
    chosen_runs bigint[] := '{}';
    chosen_seqs integer[] := '{}';
    chosen_events bigint[] := '{}';
BEGIN
    FOR candidate IN SELECT * FROM {schema}.candidates(in_runs) AS found ORDER BY found.run, found.seq, found.place LOOP
        CONTINUE WHEN candidate.run = full_run AND candidate.seq = full_seq;
        IF candidate.nth > 1 THEN
            IF candidate.bytes > room THEN
                full_run := candidate.run;
                full_seq := candidate.seq;
                CONTINUE;
            END IF;
            room := room - candidate.bytes;
        END IF;
        chosen_runs := chosen_runs || candidate.run;
        chosen_seqs := chosen_seqs || candidate.seq;
        chosen_events := chosen_events || candidate.event;
    END LOOP;
    RETURN QUERY SELECT choice.run, choice.seq, event.place, event.id, event.event_type, event.payload
        FROM unnest(chosen_runs, chosen_seqs, chosen_events) WITH ORDINALITY AS choice (run, seq, event, nth), LATERAL (
            SELECT * FROM {schema}.events WHERE number = choice.event OFFSET 0) AS event
        ORDER BY nth;
END $$;

-- Makes runs due that were suspended though something has arrived for them; whether there are any.
CREATE FUNCTION {schema}.hurry(in_runs bigint[], in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.runs SET due_at = least(coalesce(due_at, in_now), in_now)
        WHERE number = ANY (ARRAY(SELECT DISTINCT run FROM {schema}.candidates(in_runs))) AND status = 'suspended';
    RETURN FOUND;
END $$;

-- The place behind which a run looks for events of a type and key, by the event that started it.
CREATE FUNCTION {schema}.place_behind(in_event bigint, in_type text, in_key text, in_after text, in_value bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    own_lane bigint := hashtextextended(in_key, 0);
    last_place bigint := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {schema}.places);
    from_time bigint := in_value;
    start_visible bigint;
    start_published bigint;
    event record;
    behind bigint;
    preceding integer := 0;
BEGIN
    IF in_after = 'place' THEN
        RETURN in_value;
    ELSIF in_after = 'now' THEN
        RETURN last_place;
    ELSIF in_after = 'start' THEN
        SELECT visible_at, published_at INTO start_visible, start_published FROM {schema}.events WHERE number = in_event;
        IF start_visible IS NULL THEN
            -- Backwards from the last, before the first that did not precede it. Numbers are committed in any order, so there may be
            -- some that precede it among those that do not.
            FOR event IN SELECT place, CASE WHEN number = in_event THEN true WHEN visible_at IS NULL THEN number < in_event
                    ELSE visible_at < start_published END AS precedes
                FROM {schema}.events
                WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
                    AND coalesce('k' || correlation_key, '') = in_key
                ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0) DESC, place DESC
            LOOP
                IF NOT event.precedes THEN
                    behind := event.place - 1;
                    preceding := 0;
                ELSE
                    behind := coalesce(behind, event.place);
                    preceding := preceding + 1;
                    EXIT WHEN preceding = 1000;
                END IF;
            END LOOP;
            RETURN coalesce(behind, 0);
        END IF;
        from_time := start_visible;
    END IF;
    -- Before the first that became visible then or later.
    SELECT place - 1 INTO behind FROM {schema}.events
        WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
            AND coalesce('k' || correlation_key, '') = in_key AND coalesce(visible_at, published_at) >= from_time
        ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0), place LIMIT 1;
    RETURN coalesce(behind, last_place);
END $$;

-- Writes a batch of commits of which some have entries that wait, or may have waited. It takes what `commit` takes, and then the entries
-- that concern waits by their places among all, each with the JSON of what it waits for, whether it still does, and the number of types;
-- and the types, of one entry after the other, each with its key and with what it is looked for behind.
CREATE FUNCTION {schema}.commit(
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
    now bigint := (SELECT max(at) FROM unnest(in_session_nows) AS session (at));
    written integer[] := '{}';
    in_run bigint;
    entry integer;
    passed {schema}.waits[];
    functions text[];
    types text[];
    behind bigint;
    places bigint[];
    wait_key text;
    lost integer[];
BEGIN
    -- The lock of places comes before runs.
    SELECT array_agg(function_id), array_agg(t) INTO functions, types
        FROM unnest(t_entries, t_types) AS asked (entry_of, t), LATERAL (
            SELECT function_id FROM {schema}.runs WHERE number = in_runs[e_places[entry_of]] OFFSET 0) AS waiting;
    PERFORM {schema}.begin_to_await('', functions, types, now);
    IF EXISTS (SELECT FROM {schema}.events WHERE place = 0 AND coalesce(visible_at, 0) <= now) THEN
        PERFORM {schema}.show_due('', now, now);
    END IF;
    PERFORM pg_advisory_xact_lock_shared({places});
    IF NOT {schema}.all_awaited(functions, types) THEN
        -- A purge was first, which saw no such run; this is tried again.
        RAISE EXCEPTION 'a type is no longer awaited' USING ERRCODE = 'serialization_failure';
    END IF;
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
        passed := ARRAY(SELECT waits FROM {schema}.waits WHERE run = in_run AND seq = e_seqs[entry]);
        DELETE FROM {schema}.waits WHERE run = in_run AND seq = e_seqs[entry];
        FOR j IN 1..cardinality(t_entries) LOOP
            CONTINUE WHEN t_entries[j] <> entry;
            wait_key := coalesce('k' || t_keys[j], '');
            SELECT cursor INTO behind FROM unnest(passed) AS before
                WHERE before.event_type = t_types[j] AND before.wanted_key = wait_key;
            IF behind IS NULL THEN
                behind := {schema}.place_behind(in_run >> 16, t_types[j], wait_key, t_afters[j], t_values[j]);
            ELSIF t_afters[j] = 'place' THEN
                behind := greatest(behind, t_values[j]);
            END IF;
            INSERT INTO {schema}.waits (run, lane, cursor, seq, open, event_type, wanted_key)
                VALUES (in_run, hashtextextended(wait_key, 0), behind, e_seqs[entry], true, t_types[j], wait_key)
                ON CONFLICT (run, seq, event_type) DO UPDATE SET cursor = excluded.cursor;
        END LOOP;
        UPDATE {schema}.runs SET waits = true WHERE number = in_run AND waits IS NULL AND entry = ANY (t_entries);
    END LOOP;
    lost := {schema}.commit(in_store, in_resent, in_runs, in_workers, in_tokens, in_sessions, in_session_nows,
        end_places, end_statuses, end_dues, end_failures, end_results, end_finishes, end_leave_due,
        e_places, e_seqs, e_attempts, e_dues, e_starts, e_ends, e_kinds, e_states, e_paths, e_types, e_values);
    FOR i IN 1..cardinality(w_entries) LOOP
        CONTINUE WHEN i <> ALL (written);
        entry := w_entries[i];
        in_run := in_runs[e_places[entry]];
        places := ARRAY(SELECT cursor FROM unnest(t_entries, t_types) WITH ORDINALITY AS asked (entry_of, t, nth), LATERAL (
                SELECT cursor FROM {schema}.waits WHERE run = in_run AND seq = e_seqs[entry] AND event_type = t OFFSET 0) AS wait
            WHERE entry_of = entry ORDER BY nth);
        UPDATE {schema}.steps SET wait = w_waits[i], wait_places = CASE WHEN cardinality(places) > 0 THEN places END
            WHERE run = in_run AND seq = e_seqs[entry];
    END LOOP;
    RETURN lost;
END $$;
