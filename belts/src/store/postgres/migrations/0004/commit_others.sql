-- Fenced writes of workers with runs that they start, watch or cancel.

-- Notes of runs that they have started others that are attached.
CREATE FUNCTION {schema}.note_attached(in_parents text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parents bigint[];
BEGIN
    parents := ARRAY(SELECT DISTINCT run.number FROM unnest(in_parents) AS parent (run_id), LATERAL (
            SELECT number, has_attached FROM {schema}.runs WHERE id = run_id OFFSET 0) AS run
        WHERE has_attached IS NULL);
    IF cardinality(parents) > 0 THEN
        PERFORM FROM {schema}.runs WHERE number = ANY (parents) ORDER BY number FOR UPDATE;
        UPDATE {schema}.runs SET has_attached = true WHERE number = ANY (parents);
    END IF;
END $$;

-- Tells the ends of those of these runs again that are over, for whoever may have missed them.
CREATE FUNCTION {schema}.tell_again(in_ids text[], in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    there bigint;
    over record;
BEGIN
    FOR there IN SELECT DISTINCT run.number FROM unnest(in_ids) AS asked (run_id), LATERAL (
            SELECT number, finished_at, parent FROM {schema}.runs WHERE id = run_id OFFSET 0) AS run
        WHERE finished_at IS NOT NULL AND parent IS NOT NULL ORDER BY run.number
    LOOP
        -- Locked, so that nobody reruns it meanwhile and takes back what is told.
        SELECT id, status, result, finished_at INTO over FROM {schema}.runs WHERE number = there FOR SHARE;
        IF over.finished_at IS NOT NULL THEN
            PERFORM {schema}.tell(over.id, over.status, over.result, greatest(in_now, over.finished_at));
        END IF;
    END LOOP;
END $$;

-- Of these runs those that are not there.
CREATE FUNCTION {schema}.missing(in_ids text[]) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT run_id FROM unnest(in_ids) AS asked (run_id)
        WHERE (SELECT true FROM {schema}.runs WHERE id = run_id) IS NULL);
END $$;

-- Tells of those of these runs that are gone, where nothing is told of their ends any more.
CREATE FUNCTION {schema}.tell_gone(in_ids text[], in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gone text[] := {schema}.missing(in_ids);
BEGIN
    IF cardinality(gone) > 0 THEN
        -- Nobody starts one meanwhile.
        PERFORM pg_advisory_xact_lock({starts});
        gone := {schema}.missing(gone);
    END IF;
    PERFORM {schema}.tell(run_id, 'gone', NULL, in_now) FROM unnest(gone) AS asked (run_id)
        WHERE {schema}.told_of(ARRAY[run_id]) = '{}';
END $$;

-- Starts runs that are not there, of commits that were not lost.
CREATE FUNCTION {schema}.start(
    in_store text, in_now bigint, lost integer[],
    s_places integer[], s_ids text[], s_types text[], s_keys text[], s_traceparents text[], s_payloads bytea[], s_digests bytea[],
    s_visible bigint[], s_runs text[], s_functions text[], s_dues bigint[], s_retries integer[], s_parents text[],
    s_depths integer[], s_attached boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted integer[];
    drawn bigint[];
    last_seen bigint := (SELECT seen FROM {schema}.subscriptions_version);
BEGIN
    wanted := ARRAY(SELECT i FROM generate_series(1, cardinality(s_places)) AS i WHERE lost IS NULL OR s_places[i] <> ALL (lost));
    wanted := ARRAY(
        SELECT i FROM unnest(wanted) AS i WHERE (SELECT true FROM {schema}.runs WHERE id = s_runs[i]) IS NULL ORDER BY s_ids[i]);
    IF cardinality(wanted) = 0 THEN
        RETURN;
    END IF;
    drawn := ARRAY(SELECT nextval('{schema}.events_number_seq') FROM generate_series(1, cardinality(s_places)));
    -- What another one is writing is waited for, in the order of the ids.
    INSERT INTO {schema}.events (number, published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload, digest,
        place, visible_at)
        SELECT drawn[i], in_now, floor(random() * 4611686018427387904)::bigint, false, s_ids[i], s_types[i], s_keys[i],
            s_traceparents[i], s_payloads[i], s_digests[i], -1, s_visible[i]
        FROM unnest(wanted) AS i
        ON CONFLICT (id) DO NOTHING;
    INSERT INTO {schema}.runs (number, token, due_at, retries, id, function_id, status, parent, parent_depth, attached)
        SELECT event.number << 16 | 1, event.ticket,
            CASE WHEN s_dues[i] <= in_now AND s_dues[i] > last_seen AND in_now - last_seen <= 86400000
                THEN last_seen ELSE s_dues[i] END,
            s_retries[i], s_runs[i], s_functions[i], 'pending', s_parents[i], s_depths[i], s_attached[i]
        FROM unnest(ARRAY(SELECT i FROM unnest(wanted) AS i ORDER BY s_runs[i])) AS i, LATERAL (
            SELECT number, ticket FROM {schema}.events WHERE number = drawn[i] OFFSET 0) AS event
        ON CONFLICT (id) DO NOTHING;
    -- Those whose runs somebody else has started meanwhile.
    DELETE FROM {schema}.events WHERE number = ANY (ARRAY(
        SELECT drawn[i] FROM unnest(wanted) AS i
        WHERE (SELECT true FROM {schema}.runs WHERE number = drawn[i] << 16 | 1) IS NULL));
    -- Runs of these ids were there before. What was told of others is of those that somebody else has started meanwhile.
    PERFORM {schema}.untell(ARRAY(
        SELECT s_runs[i] FROM unnest(wanted) AS i WHERE (SELECT true FROM {schema}.runs WHERE number = drawn[i] << 16 | 1)));
    PERFORM {schema}.note_attached(ARRAY(SELECT s_parents[i] FROM unnest(wanted) AS i WHERE s_attached[i]));
    PERFORM pg_notify('{channel}', in_store);
END $$;

-- Of these runs those that have not finished and were started by these, each by the one in its place.
CREATE FUNCTION {schema}.started_by(in_ids text[], in_parents text[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(SELECT started.number FROM unnest(in_ids, in_parents) AS asked (id, by), LATERAL (
            SELECT number, parent, finished_at FROM {schema}.runs WHERE runs.id = asked.id OFFSET 0) AS started
        WHERE started.parent = asked.by AND started.finished_at IS NULL);
END $$;

-- Writes a batch of commits of which some start, watch or cancel other runs. It takes what the `commit` with waits takes; then the events
-- and runs to start, each with the place of its commit; and the ids of runs to cancel and of runs to watch, with theirs.
CREATE FUNCTION {schema}.commit(
    in_store text, in_resent boolean,
    in_runs bigint[], in_workers bigint[], in_tokens bigint[],
    in_sessions bigint[], in_session_nows bigint[],
    end_places integer[], end_statuses text[], end_dues bigint[], end_failures integer[], end_results bytea[],
    end_finishes bigint[], end_leave_due boolean[],
    e_places integer[], e_seqs integer[], e_attempts integer[], e_dues bigint[], e_starts bigint[], e_ends bigint[],
    e_kinds text[], e_states text[], e_paths text[], e_types text[], e_values bytea[],
    w_entries integer[], w_waits text[],
    t_entries integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[],
    s_places integer[], s_ids text[], s_types text[], s_keys text[], s_traceparents text[], s_payloads bytea[], s_digests bytea[],
    s_visible bigint[], s_runs text[], s_functions text[], s_dues bigint[], s_retries integer[], s_parents text[],
    s_depths integer[], s_attached boolean[],
    c_places integer[], c_ids text[], o_places integer[], o_ids text[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    now bigint := (SELECT max(at) FROM unnest(in_session_nows) AS session (at));
    -- One that is skipped is gone afterwards.
    cancelling text[] := ARRAY(
        SELECT (SELECT id FROM {schema}.runs WHERE number = in_runs[place]) FROM unnest(c_places) AS place);
    lost integer[];
    -- Those whose leases are not held now. What was done the first time is not done to others again.
    not_held integer[];
BEGIN
    PERFORM {schema}.before_waits(in_runs, now, end_statuses, e_places, t_entries, t_types);
    -- The lock of starts comes before runs, and behind that of places.
    IF cardinality(o_places) > 0 AND {schema}.missing(o_ids) <> '{}' THEN
        PERFORM pg_advisory_xact_lock({starts});
    ELSIF cardinality(s_places) > 0 THEN
        PERFORM pg_advisory_xact_lock_shared({starts});
    END IF;
    PERFORM {schema}.lock_batch(in_runs, end_places, end_statuses, {schema}.started_by(c_ids, cancelling));
    IF in_resent THEN
        PERFORM FROM (SELECT FROM generate_series(1, cardinality(in_runs)) AS place, LATERAL (
            SELECT FROM {schema}.runs WHERE number = in_runs[place] FOR UPDATE) AS locked) AS all_locked;
        not_held := ARRAY(SELECT place FROM generate_series(1, cardinality(in_runs)) AS place
            WHERE (SELECT true FROM {schema}.runs WHERE number = in_runs[place] AND token = in_tokens[place]
                AND worker IS NOT DISTINCT FROM in_workers[place]) IS NULL);
    END IF;
    lost := {schema}.write_waits(in_store, in_resent, in_runs, in_workers, in_tokens, in_sessions, in_session_nows,
        end_places, end_statuses, end_dues, end_failures, end_results, end_finishes, end_leave_due,
        e_places, e_seqs, e_attempts, e_dues, e_starts, e_ends, e_kinds, e_states, e_paths, e_types, e_values,
        w_entries, w_waits, t_entries, t_types, t_keys, t_afters, t_values);
    IF NOT in_resent THEN
        not_held := lost;
    END IF;
    IF cardinality(s_places) > 0 THEN
        PERFORM {schema}.start(in_store, now, not_held, s_places, s_ids, s_types, s_keys, s_traceparents, s_payloads, s_digests,
            s_visible, s_runs, s_functions, s_dues, s_retries, s_parents, s_depths, s_attached);
        -- They have ended before they had started these: by a commit of their own, or with those above them.
        PERFORM {schema}.cancel_runs({schema}.lock_families('{}', ARRAY(
            SELECT DISTINCT number FROM unnest(s_places) AS place, LATERAL (
                SELECT number, status FROM {schema}.runs WHERE number = in_runs[place] OFFSET 0) AS starting
            WHERE status IN ('failed', 'cancelled') AND (not_held IS NULL OR place <> ALL (not_held)))), now);
    END IF;
    PERFORM {schema}.tell_again(ARRAY(SELECT run_id FROM unnest(s_places || o_places, s_runs || o_ids) AS named (place, run_id)
        WHERE not_held IS NULL OR place <> ALL (not_held)), now);
    IF cardinality(o_places) > 0 THEN
        PERFORM {schema}.tell_gone(ARRAY(SELECT run_id FROM unnest(o_places, o_ids) AS watched (place, run_id)
            WHERE not_held IS NULL OR place <> ALL (not_held)), now);
    END IF;
    IF cardinality(c_places) > 0 THEN
        PERFORM {schema}.cancel_runs({schema}.started_by(c_ids, ARRAY(
            SELECT CASE WHEN not_held IS NULL OR place <> ALL (not_held) THEN id END
            FROM unnest(c_places, cancelling) AS cancel (place, id))), now);
    END IF;
    RETURN lost;
END $$;
