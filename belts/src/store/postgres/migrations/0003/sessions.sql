-- Workers' sessions. A session ends when it is deregistered, when another takes its name, when a function of its is forgotten
-- while it is silent, or a day after its lease time has ended; until then it keeps what nobody took from it, and wants what it
-- wanted. One whose process is dead loses its runs at once.

-- How much of a run is recorded.
CREATE FUNCTION {schema}.progress(in_run bigint, in_failed_attempts integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN in_failed_attempts
        + (SELECT count(*) + coalesce(sum(attempts), 0) FROM {schema}.steps WHERE run = in_run);
END $$;

-- Makes locked runs due whose worker died with them.
CREATE FUNCTION {schema}.crash(in_runs bigint[], in_due_at bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.runs SET worker = NULL, due_at = in_due_at, status = 'suspended',
        crashes = CASE WHEN {schema}.progress(number, failed_attempts) > coalesce(crash_progress, 0) THEN 1
            ELSE coalesce(crashes, 0) + 1 END,
        crash_progress = {schema}.progress(number, failed_attempts)
        WHERE number = ANY (in_runs);
END $$;

-- Makes the runs of a worker due that died with them; how many there are.
CREATE FUNCTION {schema}.crash_runs(in_store text, in_worker bigint, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    held bigint[] := ARRAY(SELECT number FROM {schema}.runs WHERE worker = in_worker ORDER BY number + 0 FOR UPDATE);
BEGIN
    IF cardinality(held) > 0 THEN
        PERFORM {schema}.crash(held, in_now);
        PERFORM pg_notify('{channel}', in_store);
    END IF;
    RETURN cardinality(held);
END $$;

-- Ends a session under the lock of `register`; how many runs became due. `settle_wants` follows.
CREATE FUNCTION {schema}.end_session(in_store text, in_worker bigint, in_now bigint, in_crashed boolean)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.workers WHERE id = in_worker;
    IF NOT in_crashed THEN
        RETURN {schema}.give_back(in_store, in_worker, in_now, '{}', '{}');
    END IF;
    RETURN {schema}.crash_runs(in_store, in_worker, in_now);
END $$;

-- Takes the runs of a session whose process is dead; how many became due. What it wants stands until it is forgotten. If the
-- process was only cut off, it has to begin another session, by which it knows that its runs are no longer its own.
CREATE FUNCTION {schema}.lose_session(in_store text, in_worker bigint, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    -- `missing_since` stays, which marks the dead.
    UPDATE {schema}.workers SET watched = false, lease_until = least(lease_until, in_now) WHERE id = in_worker;
    RETURN {schema}.crash_runs(in_store, in_worker, in_now);
END $$;

CREATE OR REPLACE FUNCTION {schema}.deregister(in_store text, in_worker bigint, in_now bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    given_back bigint;
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    given_back := {schema}.end_session(in_store, in_worker, in_now, false);
    PERFORM {schema}.settle_wants();
    RETURN given_back;
END $$;

-- Makes sure that a session lives, with the runs that nobody has taken from it; NULL where there is no such session, or where its
-- process was taken for dead.
CREATE OR REPLACE FUNCTION {schema}.revive(in_store text, in_worker bigint, in_now bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ends_at bigint := (SELECT lease_until FROM {schema}.workers
        WHERE id = in_worker AND (watched OR missing_since IS NULL));
BEGIN
    IF ends_at <= in_now THEN
        UPDATE {schema}.workers SET lease_until = in_now + lease WHERE id = in_worker AND lease_until <= in_now;
    END IF;
    RETURN CASE WHEN ends_at IS NOT NULL THEN 0 END;
END $$;

CREATE OR REPLACE FUNCTION {schema}.renew(in_store text, in_worker bigint, in_now bigint, in_lease bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.heed_clock(in_now);
    -- One that was overtaken by a later one changes nothing; from ten leases on the clock was set back.
    UPDATE {schema}.workers SET lease_until = in_now + in_lease, lease = in_lease
        WHERE id = in_worker AND (watched OR missing_since IS NULL)
            AND (in_now >= lease_until - lease OR (lease_until - lease - in_now) / 10 >= lease);
    IF NOT FOUND THEN
        RETURN (SELECT 0 FROM {schema}.workers WHERE id = in_worker AND (watched OR missing_since IS NULL));
    END IF;
    PERFORM {schema}.hear_of(in_now);
    RETURN 0;
END $$;

-- A request that comes late, since it was sent again meanwhile, must not take what was leased after that.
CREATE OR REPLACE FUNCTION {schema}.release(
    in_store text, in_call bigint, in_worker bigint, in_now bigint, keep_runs bigint[], keep_tokens bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.workers SET barred_store = in_store, barred_call = in_call
        WHERE id = in_worker AND (barred_store IS DISTINCT FROM in_store OR barred_call < in_call);
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    RETURN {schema}.give_back(in_store, in_worker, in_now, keep_runs, keep_tokens);
END $$;

-- As earlier versions call it.
CREATE OR REPLACE FUNCTION {schema}.register(
    in_store text, in_name text, in_now bigint, in_lease bigint, forget_before bigint,
    in_functions text[], sub_types text[], sub_functions text[],
    OUT id bigint, OUT given_back bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO id, given_back FROM {schema}.register(in_store, in_name, in_now, in_lease, forget_before,
        in_functions, sub_types, sub_functions, '{}', '{}');
END $$;

-- Begins a session, and ends those of the same name and those that nobody will miss.
CREATE FUNCTION {schema}.register(
    in_store text, in_name text, in_now bigint, in_lease bigint, forget_before bigint,
    -- The functions, pairs of event types and functions, and such pairs for what runs may wait for.
    in_functions text[], sub_types text[], sub_functions text[], await_types text[], await_functions text[],
    OUT id bigint, OUT given_back bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- One at a time, so that of two with the same name or functions the later one counts as a whole.
    PERFORM pg_advisory_xact_lock({lock});
    PERFORM {schema}.heed_clock(in_now);
    PERFORM {schema}.begin_to_await('', await_functions, await_types, in_now, NULL);
    SELECT coalesce(sum({schema}.end_session(in_store, workers.id, in_now, true)), 0)::bigint INTO given_back
        FROM (SELECT workers.id FROM {schema}.workers WHERE name = in_name OR lease_until < forget_before
              ORDER BY workers.id) AS workers;
    INSERT INTO {schema}.workers (name, lease_until, lease) VALUES (in_name, in_now + in_lease, in_lease)
        RETURNING workers.id INTO id;
    INSERT INTO {schema}.wants (session, function_id, event_types)
        SELECT DISTINCT register.id, wanted.function_id, ARRAY(
            SELECT pair.event_type FROM unnest(sub_types, sub_functions) AS pair (event_type, function_id)
            WHERE pair.function_id = wanted.function_id)
        FROM unnest(in_functions) AS wanted (function_id);
    INSERT INTO {schema}.awaits (session, function_id, event_types)
        SELECT register.id, pair.function_id, array_agg(pair.event_type)
        FROM unnest(await_types, await_functions) AS pair (event_type, function_id) GROUP BY pair.function_id;
    -- Those of dead processes that wanted nothing beyond it: a program that dies again and again leaves one behind each time.
    DELETE FROM {schema}.workers WHERE id = ANY (ARRAY(
        SELECT dead.id FROM {schema}.workers AS dead
        WHERE NOT dead.watched AND dead.missing_since IS NOT NULL AND dead.lease_until <= in_now AND NOT EXISTS (
            SELECT FROM {schema}.wants AS wanted WHERE wanted.session = dead.id AND NOT EXISTS (
                SELECT FROM {schema}.wants AS known WHERE known.session = register.id
                    AND known.function_id = wanted.function_id AND known.event_types @> wanted.event_types))
        ORDER BY dead.id FOR UPDATE OF dead SKIP LOCKED));
    PERFORM {schema}.settle_wants();
    PERFORM {schema}.hear_of(in_now);
END $$;

-- Takes the runs of the sessions whose processes have died, and frees runs that are leased to nobody; how many runs became due.
-- A watched session whose advisory lock is missing has some time to take it again on a new connection.
CREATE OR REPLACE FUNCTION {schema}.bury(in_store text, in_now bigint, in_grace bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    locked bigint[];
    dead bigint[];
    orphaned bigint[];
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
    IF cardinality(dead) > 0 THEN
        given_back := (SELECT sum({schema}.lose_session(in_store, worker, in_now)) FROM unnest(dead) AS worker);
    END IF;
    -- A session may have ended while a run was being leased to it. Looked for one worker after the other, in the index.
    WITH RECURSIVE holder (worker) AS (
        SELECT min(worker) FROM {schema}.runs WHERE worker IS NOT NULL
        UNION ALL
        SELECT (SELECT min(runs.worker) FROM {schema}.runs WHERE runs.worker > holder.worker)
        FROM holder WHERE holder.worker IS NOT NULL
    ) SELECT ARRAY(SELECT worker FROM holder WHERE worker IS NOT NULL
            AND (SELECT id FROM {schema}.workers WHERE id = worker) IS NULL) INTO orphaned;
    IF cardinality(orphaned) > 0 THEN
        given_back := given_back + (SELECT sum({schema}.give_back(in_store, worker, in_now, '{}', '{}'))
            FROM unnest(orphaned) AS worker);
    END IF;
    RETURN given_back;
END $$;

-- Makes the runs of all sessions due whose time has ended. A run that is being written now is left for the next claim.
CREATE OR REPLACE FUNCTION {schema}.give_back_ended(in_store text, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ended record;
    held bigint[];
    given_back bigint := 0;
BEGIN
    FOR ended IN SELECT id, lease_until FROM {schema}.workers WHERE lease_until <= in_now ORDER BY id LOOP
        held := ARRAY(SELECT number FROM {schema}.runs WHERE worker = ended.id ORDER BY number + 0 FOR UPDATE SKIP LOCKED);
        CONTINUE WHEN cardinality(held) = 0;
        PERFORM {schema}.crash(held, ended.lease_until);
        given_back := given_back + cardinality(held);
    END LOOP;
    IF given_back > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
    RETURN given_back;
END $$;
