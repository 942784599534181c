-- Transactions of steps that can be undone.

-- Records a completed step under its lease, as the last of such a transaction. `lost` where the lease stands no longer, `there` where
-- the step has been recorded before; either way nothing is written, and the transaction is to be rolled back.
CREATE FUNCTION {schema}.record_within(
    in_transaction text, in_run bigint, in_worker bigint, in_token bigint,
    e_seq integer, e_attempts integer, e_start bigint, e_end bigint, e_path text, e_type text, e_value bytea,
    -- Whether it is to be undone if the run fails or is cancelled.
    e_undoable boolean
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off AS $$
DECLARE
    e_state text := CASE WHEN e_undoable THEN 'undoable' ELSE 'completed' END;
BEGIN
    -- It ends with the transaction, so it tells of one that was committed or rolled back in between.
    IF current_setting('belts_store.within', true) IS DISTINCT FROM in_transaction THEN
        RAISE EXCEPTION 'the transaction was ended before its step' USING ERRCODE = 'BELT2';
    END IF;
    -- A standby says so by itself.
    IF current_setting('transaction_read_only')::boolean AND NOT pg_is_in_recovery() THEN
        RAISE EXCEPTION 'the transaction was made read-only before its step' USING ERRCODE = 'BELT4';
    END IF;
    -- The one lock that decides, as in `commit`. Nobody waits for long for a client that is gone now.
    PERFORM set_config('idle_in_transaction_session_timeout', '15s', true);
    PERFORM FROM {schema}.runs WHERE number = in_run AND worker IS NOT DISTINCT FROM in_worker AND token = in_token FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    INSERT INTO {schema}.steps AS known
        (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        VALUES (in_run, e_start, NULL, e_end, e_seq, e_attempts, 'step', e_state, e_path, e_type, e_value)
        ON CONFLICT (run, seq) DO UPDATE SET
            started_at = e_start, due_at = NULL, finished_at = e_end, attempts = e_attempts,
            kind = 'step', state = e_state, path = e_path, type_name = e_type, value = e_value
        WHERE known.state = 'waiting' AND known.attempts <= e_attempts;
    RETURN CASE WHEN FOUND THEN 'written' ELSE 'there' END;
END $$;

-- What is recorded of a step that may have been written by a transaction whose end nobody heard of. It waits for that end.
CREATE OR REPLACE FUNCTION {schema}.recorded(in_run bigint, in_seq integer) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM {schema}.runs WHERE number = in_run FOR UPDATE;
    RETURN (SELECT value FROM {schema}.steps WHERE run = in_run AND seq = in_seq AND state IN ('completed', 'undoable'));
END $$;

-- Whoever looks waits until the transaction has ended, however long that takes.
ALTER FUNCTION {schema}.recorded(bigint, integer) SET lock_timeout = 0;

REVOKE ALL ON FUNCTION {schema}.record_within(text, bigint, bigint, bigint, integer, integer, bigint, bigint, text, text, bytea, boolean)
    FROM PUBLIC;
