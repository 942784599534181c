-- Workers' sessions: who is there, until when, and what they subscribe to.

-- Makes the runs of a session due, but for those that it keeps; how many. Waits for commits that are under way.
CREATE FUNCTION {schema}.give_back(
    in_store text, in_worker bigint, in_due_at bigint, keep_runs bigint[], keep_tokens bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    held bigint[];
BEGIN
    held := ARRAY(
        SELECT number FROM {schema}.runs
        WHERE worker = in_worker AND NOT EXISTS (
            SELECT FROM unnest(keep_runs, keep_tokens) AS kept (run, token)
            WHERE kept.run = runs.number AND kept.token = runs.token)
        ORDER BY number + 0 FOR UPDATE);
    UPDATE {schema}.runs SET worker = NULL, due_at = in_due_at, status = 'suspended' WHERE number = ANY (held);
    IF cardinality(held) > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
    RETURN cardinality(held);
END $$;

-- Gives runs back after calls whose answers never came. Those that have yet to arrive will give no leases.
CREATE FUNCTION {schema}.release(
    in_store text, in_call bigint, in_worker bigint, in_now bigint, keep_runs bigint[], keep_tokens bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.workers SET barred_store = in_store, barred_call = in_call WHERE id = in_worker;
    RETURN {schema}.give_back(in_store, in_worker, in_now, keep_runs, keep_tokens);
END $$;

-- Ends a session; how many runs became due.
CREATE FUNCTION {schema}.deregister(in_store text, in_worker bigint, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.workers WHERE id = in_worker;
    RETURN {schema}.give_back(in_store, in_worker, in_now, '{}', '{}');
END $$;

-- Makes sure that a session lives: one whose time has ended begins anew, without the runs that it had.
-- Answers how many runs became due, or NULL where there is no such session.
CREATE FUNCTION {schema}.revive(in_store text, in_worker bigint, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ended_at bigint;
BEGIN
    SELECT lease_until INTO ended_at FROM {schema}.workers WHERE id = in_worker;
    IF ended_at IS NULL THEN
        RETURN NULL;
    ELSIF ended_at > in_now THEN
        RETURN 0;
    END IF;
    UPDATE {schema}.workers SET lease_until = in_now + lease WHERE id = in_worker AND lease_until = ended_at;
    IF NOT FOUND THEN
        -- Somebody else was faster, one way or the other.
        RETURN {schema}.revive(in_store, in_worker, in_now);
    END IF;
    RETURN {schema}.give_back(in_store, in_worker, ended_at, '{}', '{}');
END $$;

CREATE FUNCTION {schema}.renew(in_store text, in_worker bigint, in_now bigint, in_lease bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    given_back bigint := {schema}.revive(in_store, in_worker, in_now);
BEGIN
    UPDATE {schema}.workers SET lease_until = in_now + in_lease, lease = in_lease WHERE id = in_worker;
    RETURN CASE WHEN FOUND THEN given_back END;
END $$;

-- Begins a session, and ends those of the same name and those that nobody will miss.
CREATE FUNCTION {schema}.register(
    in_store text, in_name text, in_now bigint, in_lease bigint, forget_before bigint,
    -- The functions, and pairs of event types and functions.
    in_functions text[], sub_types text[], sub_functions text[],
    OUT id bigint, OUT given_back bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- One at a time, so that of two with the same name or functions the later one counts as a whole.
    PERFORM pg_advisory_xact_lock({lock});
    SELECT coalesce(sum({schema}.deregister(in_store, workers.id, in_now)), 0)::bigint INTO given_back
        FROM (SELECT workers.id FROM {schema}.workers WHERE name = in_name OR lease_until < forget_before
              ORDER BY workers.id) AS workers;
    WITH asked AS (SELECT * FROM unnest(sub_types, sub_functions) AS pair (event_type, function_id)),
    dropped AS (
        DELETE FROM {schema}.subscriptions WHERE function_id = ANY (in_functions)
            AND NOT EXISTS (SELECT FROM asked WHERE asked.event_type = subscriptions.event_type
                AND asked.function_id = subscriptions.function_id)
        RETURNING 1
    ), added AS (
        INSERT INTO {schema}.subscriptions SELECT * FROM asked ON CONFLICT DO NOTHING RETURNING 1
    )
    UPDATE {schema}.subscriptions_version SET version = version + 1
        WHERE EXISTS (SELECT FROM dropped) OR EXISTS (SELECT FROM added);
    INSERT INTO {schema}.workers (name, lease_until, lease) VALUES (in_name, in_now + in_lease, in_lease)
        RETURNING workers.id INTO id;
END $$;

-- Ends the sessions whose processes have died, and frees runs that are leased to nobody; how many runs became due.
-- A watched session whose advisory lock is missing has some time to take it again on a new connection.
CREATE FUNCTION {schema}.bury(in_store text, in_now bigint, in_grace bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    locked bigint[];
    dead bigint[];
    given_back bigint := 0;
BEGIN
    locked := ARRAY(
        SELECT objid::bigint FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = '{schema}'::regnamespace::oid
            AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()));
    UPDATE {schema}.workers SET missing_since = CASE WHEN missing_since IS NULL THEN clock_timestamp() END
        WHERE id IN (SELECT id FROM {schema}.workers
            WHERE watched AND (missing_since IS NULL) = (id & 4294967295 <> ALL (locked))
            ORDER BY id FOR UPDATE SKIP LOCKED);
    dead := ARRAY(SELECT id FROM {schema}.workers
        WHERE watched AND missing_since < clock_timestamp() - make_interval(secs => in_grace / 1000.0) ORDER BY id FOR UPDATE SKIP LOCKED);
    -- A session may have ended while a run was being leased to it. Looked for one worker after the other, in the index.
    WITH RECURSIVE holder (worker) AS (
        SELECT min(worker) FROM {schema}.runs WHERE worker IS NOT NULL
        UNION ALL
        SELECT (SELECT min(runs.worker) FROM {schema}.runs WHERE runs.worker > holder.worker)
        FROM holder WHERE holder.worker IS NOT NULL
    ) SELECT dead || ARRAY(SELECT worker FROM holder WHERE worker IS NOT NULL
            AND (SELECT id FROM {schema}.workers WHERE id = worker) IS NULL) INTO dead;
    IF cardinality(dead) > 0 THEN
        SELECT sum({schema}.deregister(in_store, worker, in_now))::bigint INTO given_back FROM unnest(dead) AS worker;
    END IF;
    RETURN given_back;
END $$;
