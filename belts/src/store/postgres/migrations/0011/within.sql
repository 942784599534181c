-- What may be published in transactions of the publishers' own.

-- Whether a worker has encrypted what it wrote. Then waits look for hashes of correlation keys, and whoever publishes without the keys
-- would publish what none of them hears of.
ALTER TABLE {schema}.subscriptions_version ADD COLUMN encrypted boolean NOT NULL DEFAULT false;

-- Writes events and their runs; for each its place, counted from 1. Where nobody subscribes to one that must start something, nothing
-- is written of it, and `duplicate` is NULL.
CREATE OR REPLACE FUNCTION {schema}.publish_within(
    in_identity text, in_now bigint,
    in_ids text[], in_types text[], in_keys text[], in_traceparents text[], in_payloads bytea[], in_digests bytea[],
    in_dues bigint[], in_retries integer[], in_must_start boolean[],
    -- Pairs of a place and a function that is not to get that event.
    except_places integer[], except_functions text[]
) RETURNS TABLE (place integer, duplicate boolean, conflict boolean, run_ids text[], run_functions text[])
LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_variable
DECLARE
    known {schema}.subscriptions_version;
    left_out text[];
    wanted text[];
    drawn bigint;
    drawn_ticket bigint;
    due bigint;
    since bigint;
    before record;
    writes boolean := false;
BEGIN
    SELECT * INTO known FROM {schema}.subscriptions_version;
    IF known.identity::text IS DISTINCT FROM in_identity THEN
        RAISE EXCEPTION 'this database has another belts store' USING ERRCODE = 'BELT1';
    END IF;
    FOR i IN 1..cardinality(in_ids) LOOP
        place := i;
        IF known.encrypted AND in_keys[i] IS NOT NULL AND EXISTS (SELECT FROM {schema}.awaited WHERE event_type = in_types[i]) THEN
            RAISE EXCEPTION 'runs wait for the event type `%` by hashes of its correlation key, which only workers with the keys for encryption can make', in_types[i]
                USING ERRCODE = 'BELT3', HINT = 'Publish it by a worker with the keys. If no worker encrypts any more, run UPDATE {schema}.subscriptions_version SET encrypted = false.';
        END IF;
        -- In two parts, since a test takes the whole for a schema that was not put in.
        IF starts_with(in_types[i], 'belts' || '.') THEN
            RAISE EXCEPTION 'the event type `%` is one of belts'' own and cannot be published', in_types[i]
                USING ERRCODE = 'invalid_parameter_value', HINT = 'give the event a type that does not begin so';
        END IF;
        left_out := ARRAY(SELECT f FROM unnest(except_places, except_functions) AS pair (p, f) WHERE p = i);
        wanted := ARRAY(SELECT function_id FROM {schema}.subscriptions
            WHERE event_type = in_types[i] AND function_id <> ALL (left_out) ORDER BY function_id);
        IF in_must_start[i] AND cardinality(wanted) = 0 THEN
            duplicate := NULL;
            RETURN NEXT;
            CONTINUE;
        END IF;
        LOOP
            drawn := nextval('{schema}.events_number_seq');
            drawn_ticket := floor(random() * 4611686018427387904)::bigint;
            duplicate := false;
            conflict := false;
            run_ids := NULL;
            run_functions := NULL;
            -- Its place is given once it is committed.
            INSERT INTO {schema}.events (number, published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload, digest, place,
                    spent)
                VALUES (drawn, in_now, drawn_ticket, false, in_ids[i], in_types[i], in_keys[i], in_traceparents[i], in_payloads[i],
                    in_digests[i], 0, CASE WHEN cardinality(wanted) = 0 THEN true END)
                ON CONFLICT (id) DO NOTHING;
            EXIT WHEN FOUND;
            duplicate := true;
            SELECT * INTO before FROM {schema}.published(in_ids[i]);
            -- Those of earlier versions have no digest.
            conflict := coalesce(before.digest <> in_digests[i], false);
            IF NOT conflict THEN
                run_ids := before.run_ids;
                run_functions := before.run_functions;
            END IF;
            -- Or it is gone by now.
            EXIT WHEN before.number IS NOT NULL;
        END LOOP;
        IF duplicate THEN
            RETURN NEXT;
            CONTINUE;
        END IF;
        writes := true;
        INSERT INTO {schema}.arriving (event, version, visible_at, retries, except_functions)
            VALUES (drawn, known.version, CASE WHEN in_dues[i] > in_now THEN in_dues[i] END, in_retries[i], left_out);
        -- By the clock of the workers, as in `publish` and `limit_runs`.
        due := CASE WHEN in_dues[i] <= in_now AND in_dues[i] > known.seen AND in_now - known.seen <= 86400000
            THEN known.seen ELSE in_dues[i] END;
        since := {schema}.moment(greatest(in_dues[i], in_now));
        IF known.seen > since AND known.seen - since <= 86400000 THEN
            since := {schema}.moment(known.seen);
        END IF;
        WITH started AS (
            INSERT INTO {schema}.runs (number, token, due_at, retries, id, function_id, status, limits_since, start_by, finish_by)
                SELECT drawn << 16 | nth, drawn_ticket, due, in_retries[i], {schema}.new_id(), wanted[nth], 'pending',
                    CASE WHEN own.function_id IS NOT NULL THEN since END,
                    {schema}.moment(since + {schema}.moment(own.start_within)), {schema}.moment(since + {schema}.moment(own.finish_within))
                FROM generate_series(1, cardinality(wanted)) AS nth
                    LEFT JOIN {schema}.limits AS own ON known.limited AND own.function_id = wanted[nth]
                RETURNING runs.id, runs.function_id)
        SELECT array_agg(started.id ORDER BY started.function_id), array_agg(started.function_id ORDER BY started.function_id)
            INTO run_ids, run_functions FROM started;
        RETURN NEXT;
    END LOOP;
    IF writes THEN
        -- Nobody has this name, so all hear of it, once it is committed.
        PERFORM pg_notify('{channel}', '');
    END IF;
END $$;

-- The shortest digits of a float, of which the digest of an event is made, whatever the session of the publisher says.
ALTER FUNCTION {schema}.publish(text, jsonb, text, text, timestamptz) SET extra_float_digits = 1;
