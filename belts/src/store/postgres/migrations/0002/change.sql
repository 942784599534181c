-- What people do to runs.

-- Makes a failed or cancelled run due again, without its failed entries and those from a `seq` on; whether there was one.
CREATE FUNCTION {schema}.rerun_from(in_store text, in_id text, in_now bigint, in_seq bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT {schema}.rerun(in_store, in_id, in_now) THEN
        RETURN false;
    END IF;
    -- The run is locked by now, and this statement sees all that was written to it before.
    DELETE FROM {schema}.steps
        WHERE run = (SELECT number FROM {schema}.runs WHERE id = in_id) AND seq >= in_seq;
    RETURN true;
END $$;
