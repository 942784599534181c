-- What claims ask. The function `claim` itself is in its latest form in a later migration.

-- The first waiting run of every function: one look into the index for each function that has any.
CREATE FUNCTION {schema}.heads(OUT functions text[], OUT dues bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    head record;
BEGIN
    SELECT function_id, due_at INTO head FROM {schema}.runs WHERE due_at IS NOT NULL
        ORDER BY function_id, due_at LIMIT 1;
    WHILE FOUND LOOP
        functions := functions || head.function_id;
        dues := dues || head.due_at;
        SELECT function_id, due_at INTO head FROM {schema}.runs WHERE due_at IS NOT NULL AND function_id > head.function_id
            ORDER BY function_id, due_at LIMIT 1;
    END LOOP;
END $$;

-- Makes the runs of all sessions due whose time has ended. A run that is being written now is left for the next claim.
CREATE FUNCTION {schema}.give_back_ended(in_store text, in_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    ended record;
    held bigint[];
    given_back bigint := 0;
BEGIN
    FOR ended IN SELECT id, lease_until FROM {schema}.workers WHERE lease_until <= in_now ORDER BY id LOOP
        held := ARRAY(SELECT number FROM {schema}.runs WHERE worker = ended.id ORDER BY number + 0 FOR UPDATE SKIP LOCKED);
        CONTINUE WHEN cardinality(held) = 0;
        UPDATE {schema}.runs SET worker = NULL, due_at = ended.lease_until, status = 'suspended'
            WHERE number = ANY (held);
        given_back := given_back + cardinality(held);
    END LOOP;
    IF given_back > 0 THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
    RETURN given_back;
END $$;
