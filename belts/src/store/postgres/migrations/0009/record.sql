-- Steps that are recorded in a transaction with rows of the user's.

-- Records a completed step under its lease, as the last of such a transaction. `lost` where the lease stands no longer, `there` where
-- the step has been recorded before; either way nothing is written, and the transaction is to be rolled back.
CREATE FUNCTION {schema}.record_within(
    in_transaction text, in_run bigint, in_worker bigint, in_token bigint,
    e_seq integer, e_attempts integer, e_start bigint, e_end bigint, e_path text, e_type text, e_value bytea
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET enable_seqscan = off AS $$
BEGIN
    -- It ends with the transaction, so it tells of one that was committed or rolled back in between.
    IF current_setting('belts_store.within', true) IS DISTINCT FROM in_transaction THEN
        RAISE EXCEPTION 'the transaction was ended before its step' USING ERRCODE = 'BELT2';
    END IF;
    -- The one lock that decides, as in `commit`. Nobody waits for long for a client that is gone now.
    PERFORM set_config('idle_in_transaction_session_timeout', '15s', true);
    PERFORM FROM {schema}.runs WHERE number = in_run AND worker IS NOT DISTINCT FROM in_worker AND token = in_token FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'lost';
    END IF;
    INSERT INTO {schema}.steps AS known
        (run, started_at, due_at, finished_at, seq, attempts, kind, state, path, type_name, value)
        VALUES (in_run, e_start, NULL, e_end, e_seq, e_attempts, 'step', 'completed', e_path, e_type, e_value)
        ON CONFLICT (run, seq) DO UPDATE SET
            started_at = e_start, due_at = NULL, finished_at = e_end, attempts = e_attempts,
            kind = 'step', state = 'completed', path = e_path, type_name = e_type, value = e_value
        WHERE known.state = 'waiting' AND known.attempts <= e_attempts;
    RETURN CASE WHEN FOUND THEN 'written' ELSE 'there' END;
END $$;

-- What is recorded of a step that may have been written by a transaction whose end nobody heard of. It waits for that end.
CREATE FUNCTION {schema}.recorded(in_run bigint, in_seq integer) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM {schema}.runs WHERE number = in_run FOR UPDATE;
    RETURN (SELECT value FROM {schema}.steps WHERE run = in_run AND seq = in_seq AND state = 'completed');
END $$;

REVOKE ALL ON FUNCTION {schema}.record_within(text, bigint, bigint, bigint, integer, integer, bigint, bigint, text, text, bytea)
    FROM PUBLIC;
