-- Runs that have something to undo.

-- A run that has something to undo goes on in place of its end, whichever version and for whatever reason ends it. What was decided
-- stands, and only whoever holds the lease of such a run ends it.
CREATE FUNCTION {schema}.decide_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.finished_at IS NULL THEN
        -- It is rerun.
        NEW.undo := NULL;
        NEW.undo_result := NULL;
    ELSIF NEW.undo IS NOT NULL THEN
        NEW.undo := 'done';
        NEW.finish_by := coalesce(OLD.undo_finish_by, OLD.finish_by);
        NEW.undo_finish_by := NULL;
    ELSIF EXISTS (SELECT FROM {schema}.steps WHERE run = NEW.number AND state = 'undoable') THEN
        NEW.undo := NEW.status;
        NEW.undo_result := NEW.result;
        NEW.undo_finish_by := NEW.finish_by;
        NEW.finish_by := NULL;
        NEW.status := 'suspended';
        NEW.worker := NULL;
        NEW.keeps_time := true;
        NEW.due_at := least(NEW.finished_at, coalesce((SELECT seen FROM {schema}.subscriptions_version), NEW.finished_at));
        NEW.finished_at := NULL;
        -- Nobody has this name, so all hear of it.
        PERFORM pg_notify('{channel}', '');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runs_decide BEFORE UPDATE OF finished_at ON {schema}.runs
    FOR EACH ROW WHEN (NEW.finished_at IS DISTINCT FROM OLD.finished_at
        AND (NEW.status IN ('failed', 'cancelled') OR OLD.undo IS NOT NULL))
    EXECUTE FUNCTION {schema}.decide_end();

-- As before, and where its end is decided, what that brings with it at once: nobody is told yet.
CREATE OR REPLACE FUNCTION {schema}.end_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.waits THEN
        UPDATE {schema}.waits SET open = false WHERE run = NEW.number AND open;
    END IF;
    IF OLD.finished_at IS NOT NULL THEN
        RETURN NULL;
    END IF;
    IF NEW.parent IS NOT NULL AND NEW.finished_at IS NOT NULL THEN
        PERFORM {schema}.tell(NEW.id, NEW.status, NEW.result, greatest(
            NEW.finished_at, (SELECT published_at FROM {schema}.events WHERE number = NEW.number >> 16)));
    END IF;
    IF NEW.has_attached AND (NEW.status IN ('failed', 'cancelled') OR NEW.undo IN ('failed', 'cancelled'))
        AND EXISTS (SELECT FROM {schema}.runs WHERE parent = NEW.id AND attached AND finished_at IS NULL) THEN
        PERFORM {schema}.cancel_runs({schema}.lock_families('{}', ARRAY[NEW.number]), coalesce(NEW.finished_at, NEW.due_at));
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER runs_end ON {schema}.runs;
CREATE TRIGGER runs_end AFTER UPDATE OF finished_at ON {schema}.runs
    FOR EACH ROW WHEN ((NEW.finished_at IS NOT NULL OR OLD.undo IS NULL AND NEW.undo IS NOT NULL)
        AND (NEW.waits OR NEW.parent IS NOT NULL OR NEW.has_attached
            AND (NEW.status IN ('failed', 'cancelled') OR NEW.undo IN ('failed', 'cancelled'))))
    EXECUTE FUNCTION {schema}.end_run();

-- Cancels those of these runs that have not finished, and of which nothing else is decided.
CREATE OR REPLACE FUNCTION {schema}.cancel_runs(in_runs bigint[], in_now bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    unfinished bigint[];
    driven boolean;
BEGIN
    IF cardinality(in_runs) = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(number), bool_or(worker IS NOT NULL) INTO unfinished, driven FROM (
        SELECT number, worker FROM {schema}.runs WHERE number = ANY (in_runs) AND finished_at IS NULL AND undo IS NULL
        ORDER BY number FOR UPDATE) AS locked;
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = ANY (unfinished);
    IF driven THEN
        -- Nobody has this name, so all hear of it.
        PERFORM pg_notify('{channel}', '');
    END IF;
END $$;

-- Cancels a run that has not finished, and of which nothing else is decided; whether there was one.
CREATE OR REPLACE FUNCTION {schema}.cancel(in_store text, in_id text, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    own bigint := (SELECT number FROM {schema}.runs WHERE id = in_id AND finished_at IS NULL AND undo IS NULL);
BEGIN
    IF own IS NULL THEN
        RETURN false;
    END IF;
    PERFORM {schema}.lock_families('{}', ARRAY[own]);
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now
        WHERE number = own AND finished_at IS NULL AND undo IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;

-- As `rerun_limited`, without some entries: those that were undone, and those that undid them. Then it counts as rerun from a step.
CREATE FUNCTION {schema}.rerun_undone(
    in_store text, in_id text, in_now bigint, in_seq bigint,
    o_seqs integer[], t_seqs integer[], t_types text[], t_keys text[], t_afters text[], t_values bigint[], in_undone integer[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT {schema}.rerun_limited(in_store, in_id, in_now, in_seq, o_seqs, t_seqs, t_types, t_keys, t_afters, t_values) THEN
        RETURN false;
    END IF;
    IF cardinality(in_undone) > 0 THEN
        DELETE FROM {schema}.steps WHERE run = (SELECT number FROM {schema}.runs WHERE id = in_id) AND seq = ANY (in_undone);
        UPDATE {schema}.runs SET generation = coalesce(generation, 0) + 1 WHERE id = in_id AND in_seq IS NULL;
    END IF;
    RETURN true;
END $$;

-- Ends unfinished runs of a function that no living session has, silent sessions that have it, and its pause, and drops what was
-- wanted for it. A session that comes back registers again, and wants it again.
CREATE OR REPLACE FUNCTION {schema}.forget(
    in_store text, in_function text, in_now bigint, in_limit bigint,
    OUT living boolean, OUT ended bigint, OUT more boolean
) LANGUAGE plpgsql AS $$
DECLARE
    unfinished bigint[];
BEGIN
    PERFORM pg_advisory_xact_lock({lock});
    living := EXISTS (SELECT FROM {schema}.wants JOIN {schema}.workers ON id = session
        WHERE function_id = in_function AND lease_until > in_now);
    IF living THEN
        RETURN;
    END IF;
    PERFORM {schema}.end_session(in_store, silent.id, in_now, true)
        FROM (SELECT id FROM {schema}.workers JOIN {schema}.wants ON session = id WHERE function_id = in_function
              ORDER BY id) AS silent;
    DELETE FROM {schema}.wants WHERE function_id = in_function;
    DELETE FROM {schema}.awaits WHERE function_id = in_function;
    PERFORM {schema}.settle_wants();
    PERFORM {schema}.resume(in_store, in_function);
    unfinished := ARRAY(SELECT number FROM (
        (SELECT number FROM {schema}.runs WHERE function_id = in_function AND due_at IS NOT NULL
            ORDER BY due_at, number LIMIT in_limit + 1)
        UNION ALL
        (SELECT number FROM {schema}.runs WHERE function_id = in_function
            AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL ORDER BY number LIMIT in_limit + 1)
        UNION ALL
        (SELECT number FROM {schema}.runs WHERE function_id = in_function AND worker IS NOT NULL LIMIT in_limit + 1)
        ) AS found LIMIT in_limit + 1);
    more := cardinality(unfinished) > in_limit;
    PERFORM {schema}.lock_families(unfinished[:in_limit], unfinished[:in_limit]);
    unfinished := ARRAY(SELECT number FROM {schema}.runs WHERE number = ANY (unfinished[:in_limit]) AND finished_at IS NULL
        ORDER BY number FOR UPDATE);
    -- Nobody has its code, to undo anything.
    UPDATE {schema}.runs SET status = 'cancelled', due_at = NULL, worker = NULL, finished_at = in_now, undo = 'done'
        WHERE number = ANY (unfinished);
    ended := cardinality(unfinished);
    IF ended > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;
