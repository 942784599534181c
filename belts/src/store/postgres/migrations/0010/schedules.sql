-- Writes schedules, sorted by name, each if it is of the version that was read, and starts the runs of their ticks; which were written.
-- One without a function is removed.
CREATE FUNCTION {schema}.change_schedules(
    in_store text, in_now bigint,
    in_names text[], in_read bigint[], in_functions text[], in_dues bigint[], in_versions bigint[], in_values bytea[],
    s_places integer[], s_ids text[], s_types text[], s_keys text[], s_traceparents text[], s_payloads bytea[], s_digests bytea[],
    s_visible bigint[], s_runs text[], s_functions text[], s_dues bigint[], s_retries integer[], s_parents text[],
    s_depths integer[], s_attached boolean[]
) RETURNS boolean[] LANGUAGE plpgsql AS $$
DECLARE
    present bigint;
    written boolean[] := '{}';
    lost integer[] := '{}';
BEGIN
    PERFORM FROM {schema}.schedules WHERE name = ANY (in_names) ORDER BY name FOR UPDATE;
    FOR i IN 1..cardinality(in_names) LOOP
        SELECT version INTO present FROM {schema}.schedules WHERE name = in_names[i] FOR UPDATE;
        IF present IS NOT DISTINCT FROM in_read[i] THEN
            IF in_functions[i] IS NULL THEN
                DELETE FROM {schema}.schedules WHERE name = in_names[i];
                written := written || true;
                CONTINUE;
            ELSIF in_read[i] IS NOT NULL THEN
                UPDATE {schema}.schedules SET function_id = in_functions[i], due_at = in_dues[i], version = in_versions[i],
                    value = in_values[i] WHERE name = in_names[i];
                written := written || true;
                CONTINUE;
            END IF;
            INSERT INTO {schema}.schedules (name, function_id, due_at, version, value)
                VALUES (in_names[i], in_functions[i], in_dues[i], in_versions[i], in_values[i]) ON CONFLICT (name) DO NOTHING;
            IF FOUND THEN
                written := written || true;
                CONTINUE;
            END IF;
            -- Somebody else has made it at this moment.
            SELECT version INTO present FROM {schema}.schedules WHERE name = in_names[i];
        END IF;
        written := written || (present IS NOT DISTINCT FROM in_versions[i]);
        lost := lost || i;
    END LOOP;
    IF cardinality(s_places) > 0 THEN
        PERFORM {schema}.start(in_store, in_now, lost, s_places, s_ids, s_types, s_keys, s_traceparents, s_payloads, s_digests,
            s_visible, s_runs, s_functions, s_dues, s_retries, s_parents, s_depths, s_attached);
    END IF;
    RETURN written;
END $$;
