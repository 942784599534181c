-- What people do to runs.

-- Removes runs that finished before a time, the longest finished first; how many.
CREATE FUNCTION {schema}.purge(in_before bigint, in_limit bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    old bigint[];
    their_events bigint[];
BEGIN
    SELECT array_agg(number), array_agg(DISTINCT number >> 16) INTO old, their_events FROM (
        SELECT number FROM {schema}.runs WHERE finished_at IS NOT NULL AND finished_at < in_before
        ORDER BY finished_at, number LIMIT in_limit FOR UPDATE SKIP LOCKED) AS longest;
    DELETE FROM {schema}.steps WHERE run = ANY (old);
    DELETE FROM {schema}.runs WHERE number = ANY (old);
    -- The lock makes the last of an event's runs see that it is that.
    PERFORM FROM {schema}.events WHERE number = ANY (their_events) ORDER BY number FOR UPDATE;
    DELETE FROM {schema}.events
        WHERE number = ANY (their_events) AND (SELECT true FROM {schema}.runs
            WHERE runs.number BETWEEN events.number << 16 AND events.number << 16 | 65535 LIMIT 1) IS NULL;
    -- Events that started nothing are kept as long, so that their ids stay known.
    DELETE FROM {schema}.events WHERE number = ANY (ARRAY(
        SELECT number FROM {schema}.events WHERE idle AND published_at < in_before
        ORDER BY published_at LIMIT in_limit FOR UPDATE SKIP LOCKED));
    RETURN coalesce(cardinality(old), 0);
END $$;

-- Makes a failed or cancelled run due again, without its failed entries; whether there was one.
CREATE FUNCTION {schema}.rerun(in_store text, in_id text, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    again bigint;
BEGIN
    UPDATE {schema}.runs SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'suspended' END, due_at = in_now,
        failed_attempts = 0, result = NULL, finished_at = NULL
        WHERE id = in_id AND status IN ('failed', 'cancelled') RETURNING number INTO again;
    IF again IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM {schema}.steps WHERE run = again AND state = 'failed';
    PERFORM pg_notify('{channel}', in_store);
    RETURN true;
END $$;
