-- How runs end that others have started: what is told of it, and which end together. Triggers do it, whichever version ends them.

-- How the ids of the events begin that tell of the end of a run. A long id would not fit into their index.
CREATE FUNCTION {schema}.ended_prefix(in_run text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN '{ended}:' || CASE WHEN octet_length(in_run) <= 1000 THEN in_run ELSE md5(in_run) END || ':';
END $$;

-- Tells of the end of a run. The event has no digest, so it is given its place after the commit, as one of an earlier version: by
-- whoever ends the run, or by the next claim.
CREATE FUNCTION {schema}.tell(in_run text, in_status text, in_result bytea, in_at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    given bigint;
BEGIN
    INSERT INTO {schema}.events (published_at, ticket, idle, id, event_type, correlation_key, payload)
        VALUES (in_at, 0, true, {schema}.ended_prefix(in_run) || gen_random_uuid(), '{ended}', in_run,
            convert_to('{"status":"' || in_status || '","result":', 'UTF8') || coalesce(in_result, 'null') || '}')
        RETURNING place INTO given;
    IF given IS NULL THEN
        RETURN;
    END IF;
    -- The sessions of this version have the setting, and look at it after the write.
    IF current_setting('belts_store.told', true) IN ('no', 'yes') THEN
        PERFORM set_config('belts_store.told', 'yes', true);
    ELSE
        PERFORM pg_notify('{channel}', '');
    END IF;
END $$;

-- The numbers of the events that tell of the ends of these runs.
CREATE FUNCTION {schema}.told_of(in_runs text[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(SELECT told.number FROM unnest(in_runs) AS asked (run), LATERAL (
            SELECT {schema}.ended_prefix(asked.run) AS prefix OFFSET 0) AS own, LATERAL (
            SELECT number FROM {schema}.events
            WHERE id >= prefix AND id < left(prefix, -1) || ';' AND event_type = '{ended}' AND correlation_key = asked.run
            OFFSET 0) AS told);
END $$;

-- Takes back what was told of the ends of these runs. In the condition the function would be called for each event.
CREATE FUNCTION {schema}.untell(in_runs text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    told bigint[] := {schema}.told_of(in_runs);
BEGIN
    IF cardinality(told) > 0 THEN
        DELETE FROM {schema}.events WHERE number = ANY (told);
    END IF;
END $$;

-- A run that is removed before it has finished was skipped. Whoever started it did so before, whatever the clocks say.
CREATE FUNCTION {schema}.tell_skipped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.tell(OLD.id, 'skipped', NULL, greatest(
        (SELECT seen FROM {schema}.subscriptions_version), OLD.started_at,
        (SELECT published_at FROM {schema}.events WHERE number = OLD.number >> 16), 0));
    RETURN NULL;
END $$;
CREATE TRIGGER runs_skipped AFTER DELETE ON {schema}.runs
    FOR EACH ROW WHEN (OLD.parent IS NOT NULL AND OLD.finished_at IS NULL) EXECUTE FUNCTION {schema}.tell_skipped();

-- Locks runs and those that end with the ones that fail or are cancelled, in the one order in which all lock them; answers with the
-- latter. Nothing is locked where there are none of these. Others may start runs, or end them, until they are locked.
CREATE FUNCTION {schema}.lock_families(in_runs bigint[], in_ending bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    locked bigint[] := '{}';
    below bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(in_ending) AS ending (run), LATERAL (
            SELECT id FROM {schema}.runs WHERE number = ending.run AND has_attached OFFSET 0) AS root, LATERAL (
            SELECT FROM {schema}.runs WHERE parent = root.id AND attached AND finished_at IS NULL LIMIT 1) AS child) THEN
        RETURN '{}';
    END IF;
    LOOP
        below := ARRAY(
            WITH RECURSIVE family (number, id) AS (
                SELECT NULL::bigint, root.id FROM unnest(in_ending) AS ending (run), LATERAL (
                    SELECT id FROM {schema}.runs WHERE number = ending.run OFFSET 0) AS root
                UNION
                SELECT child.number, child.id FROM family, LATERAL (
                    SELECT number, id FROM {schema}.runs
                    WHERE parent = family.id AND attached AND finished_at IS NULL OFFSET 0) AS child
            ) SELECT number FROM family WHERE number IS NOT NULL);
        EXIT WHEN below <@ locked;
        locked := in_runs || in_ending || below;
        PERFORM FROM {schema}.runs WHERE number = ANY (locked) ORDER BY number FOR UPDATE;
    END LOOP;
    RETURN below;
END $$;

-- Cancels those of these runs that have not finished.
CREATE FUNCTION {schema}.cancel_runs(in_runs bigint[], in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    unfinished bigint[];
    driven boolean;
BEGIN
    IF cardinality(in_runs) = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(number), bool_or(worker IS NOT NULL) INTO unfinished, driven FROM (
        SELECT number, worker FROM {schema}.runs WHERE number = ANY (in_runs) AND finished_at IS NULL
        ORDER BY number FOR UPDATE) AS locked;
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = ANY (unfinished);
    IF driven THEN
        -- Nobody has this name, so all hear of it.
        PERFORM pg_notify('{channel}', '');
    END IF;
END $$;

-- What the end of a run brings with it. One trigger does it all, since the condition of each costs every commit some time.
CREATE FUNCTION {schema}.end_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.waits THEN
        UPDATE {schema}.waits SET open = false WHERE run = NEW.number AND open;
    END IF;
    IF OLD.finished_at IS NOT NULL THEN
        RETURN NULL;
    END IF;
    IF NEW.parent IS NOT NULL THEN
        PERFORM {schema}.tell(NEW.id, NEW.status, NEW.result, greatest(
            NEW.finished_at, (SELECT published_at FROM {schema}.events WHERE number = NEW.number >> 16)));
    END IF;
    IF NEW.has_attached AND NEW.status IN ('failed', 'cancelled')
        AND EXISTS (SELECT FROM {schema}.runs WHERE parent = NEW.id AND attached AND finished_at IS NULL) THEN
        PERFORM {schema}.cancel_runs({schema}.lock_families('{}', ARRAY[NEW.number]), NEW.finished_at);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER waits_end ON {schema}.runs;
CREATE TRIGGER runs_end AFTER UPDATE OF finished_at ON {schema}.runs
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL
        AND (NEW.waits OR NEW.parent IS NOT NULL OR NEW.has_attached AND NEW.status IN ('failed', 'cancelled')))
    EXECUTE FUNCTION {schema}.end_run();

-- Cancels a run that has not finished; whether there was one.
CREATE FUNCTION {schema}.cancel(in_store text, in_id text, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    own bigint := (SELECT number FROM {schema}.runs WHERE id = in_id AND finished_at IS NULL);
BEGIN
    IF own IS NULL THEN
        RETURN false;
    END IF;
    PERFORM {schema}.lock_families('{}', ARRAY[own]);
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = own AND finished_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;
