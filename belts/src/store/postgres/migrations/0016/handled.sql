-- Runs whose cancel is handled.

-- The functions of which that is so, as the session said that registered last.
CREATE TABLE {schema}.cancel_handled (function_id text COLLATE "C" PRIMARY KEY);
-- Set while a run is undone, or handed on, that had not started. Until it ends it counts as started, so that its `start_within` is over
-- and it collects no more events.
ALTER TABLE {schema}.runs ADD COLUMN undo_unstarted boolean;

-- Begins a session, with the functions whose cancels are handled.
CREATE FUNCTION {schema}.register(
    in_store text, in_name text, in_now bigint, in_lease bigint, forget_before bigint,
    in_functions text[], sub_types text[], sub_functions text[], await_types text[], await_functions text[],
    in_limited text[], in_start bigint[], in_finish bigint[], in_handled text[],
    OUT id bigint, OUT given_back bigint
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO id, given_back FROM {schema}.register(in_store, in_name, in_now, in_lease, forget_before,
        in_functions, sub_types, sub_functions, await_types, await_functions, in_limited, in_start, in_finish);
    DELETE FROM {schema}.cancel_handled WHERE function_id = ANY (in_functions) AND function_id <> ALL (in_handled);
    INSERT INTO {schema}.cancel_handled (function_id) SELECT unnest(in_handled) ON CONFLICT DO NOTHING;
END $$;

-- As `forget`, which ends runs whatever is handled: nobody has their code.
CREATE FUNCTION {schema}.forget_handled(
    in_store text, in_function text, in_now bigint, in_limit bigint,
    OUT living boolean, OUT ended bigint, OUT more boolean
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO living, ended, more FROM {schema}.forget(in_store, in_function, in_now, in_limit);
    IF NOT living THEN
        DELETE FROM {schema}.cancel_handled WHERE function_id = in_function;
    END IF;
END $$;

-- As before, and so does a cancelled run of such a function. An earlier version, to which the journal alone says that a run is undone,
-- finds an entry in it that says so.
CREATE OR REPLACE FUNCTION {schema}.decide_end() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    handled boolean := NEW.finished_at IS NOT NULL AND NEW.undo IS NULL AND NEW.status = 'cancelled'
        AND EXISTS (SELECT FROM {schema}.cancel_handled WHERE function_id = NEW.function_id);
BEGIN
    IF NEW.finished_at IS NULL THEN
        -- It is rerun.
        IF OLD.undo IS NOT NULL THEN
            DELETE FROM {schema}.steps WHERE run = NEW.number AND kind = 'undo' AND path = '~cancelled';
        END IF;
        NEW.undo := NULL;
        NEW.undo_result := NULL;
    ELSIF NEW.undo IS NOT NULL THEN
        NEW.undo := 'done';
        NEW.finish_by := coalesce(OLD.undo_finish_by, OLD.finish_by);
        NEW.undo_finish_by := NULL;
        IF NEW.undo_unstarted THEN
            NEW.started_at := NULL;
            NEW.undo_unstarted := NULL;
        END IF;
    ELSIF handled OR EXISTS (SELECT FROM {schema}.steps WHERE run = NEW.number AND state = 'undoable') THEN
        IF handled AND NOT EXISTS (SELECT FROM {schema}.steps WHERE run = NEW.number AND (state = 'undoable' OR kind = 'undo')) THEN
            INSERT INTO {schema}.steps (run, started_at, finished_at, seq, attempts, kind, state, path, type_name, value)
            VALUES (NEW.number, NEW.finished_at, NEW.finished_at,
                -- Encrypted stores keep entries of their own from 1 << 26 on.
                (SELECT coalesce(max(seq), -1) + 1 FROM {schema}.steps WHERE run = NEW.number AND seq < 67108864),
                1, 'undo', 'completed', '~cancelled', '', '');
        END IF;
        NEW.undo := NEW.status;
        NEW.undo_result := NEW.result;
        NEW.undo_finish_by := NEW.finish_by;
        NEW.finish_by := NULL;
        IF NEW.started_at IS NULL THEN
            NEW.undo_unstarted := true;
            NEW.started_at := NEW.finished_at;
        END IF;
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

-- As before. It was none of its function's runs, so nobody handles its end.
CREATE OR REPLACE FUNCTION {schema}.skip_run(in_number bigint, in_by text, in_other text, in_cause text, in_now bigint, OUT routed text, OUT other text)
LANGUAGE plpgsql AS $$
BEGIN
    routed := 'skipped:' || in_by || coalesce(':' || in_other, '');
    UPDATE {schema}.runs SET flow = routed, started_at = NULL, status = 'cancelled', due_at = NULL, worker = NULL,
        result = convert_to(in_cause, 'UTF8'), finished_at = in_now,
        undo = CASE WHEN EXISTS (SELECT FROM {schema}.cancel_handled WHERE function_id = runs.function_id) THEN 'done' ELSE undo END
    WHERE number = in_number;
END $$;
