-- Publishing in a transaction of the publisher's own, at any isolation level. It waits for no other publisher but one of the same id,
-- and nobody waits for it. It reads no row that others write at the same time, which a serializable transaction would have to pay for.
--
-- Both functions have the rights of the store's owner, so a role needs no more than the right to call them.

-- What is known of an event: its digest and its runs. Nothing if there is none.
CREATE FUNCTION {schema}.published(in_id text, OUT number bigint, OUT digest bytea, OUT run_ids text[], OUT run_functions text[])
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    SELECT events.number, events.digest INTO number, digest FROM {schema}.events WHERE id = in_id;
    SELECT array_agg(id ORDER BY function_id), array_agg(function_id ORDER BY function_id) INTO run_ids, run_functions
        FROM {schema}.runs WHERE runs.number BETWEEN published.number << 16 AND published.number << 16 | 65535;
END $$;

-- Writes events and their runs; for each its place, counted from 1. Where nobody subscribes to one that must start something, nothing
-- is written of it, and `duplicate` is NULL.
CREATE FUNCTION {schema}.publish_within(
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

-- For every other language, and for triggers: publishes an event in the transaction of the caller; its id.
--
-- With an idempotency key the event of that type and key is published once; publishing it again answers with the same id, and
-- publishing another one under them is an error. The correlation key is what waits for the event look for.
CREATE FUNCTION {schema}.publish(
    type text, payload jsonb, idempotency_key text DEFAULT NULL, correlation_key text DEFAULT NULL,
    due_at timestamptz DEFAULT now()
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_variable
DECLARE
    now_at CONSTANT bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
    due bigint;
    own_id text;
    written record;
BEGIN
    IF coalesce(btrim(type), '') = '' THEN
        RAISE EXCEPTION 'the event has no type' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write SELECT {schema}.publish(''order-created'', ''{"order_id":"o-17"}'')';
    ELSIF payload IS NULL OR jsonb_typeof(payload) <> 'object' THEN
        RAISE EXCEPTION 'the payload of the event `%` is no JSON object', type USING ERRCODE = 'invalid_parameter_value';
    ELSIF payload ? 'type' THEN
        RAISE EXCEPTION 'the payload of the event `%` has a field `type`, which stands for the type itself', type
            USING ERRCODE = 'invalid_parameter_value', HINT = 'leave it out: payload - ''type''';
    ELSIF btrim(idempotency_key) = '' THEN
        RAISE EXCEPTION 'the idempotency key is empty' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'give one that tells this event from others, or NULL';
    END IF;
    due := CASE WHEN due_at IS NULL OR due_at = '-infinity' THEN now_at WHEN due_at = 'infinity' THEN {last}
        ELSE greatest(now_at, least({last}, floor(extract(epoch FROM due_at) * 1000)))::bigint END;
    own_id := CASE WHEN idempotency_key IS NULL THEN {schema}.new_id() ELSE {schema}.event_id(type, idempotency_key) END;
    -- Columns have an escape for a character that they cannot have, and one for the escape.
    SELECT * INTO written FROM {schema}.publish_within(
        (SELECT identity::text FROM {schema}.subscriptions_version), now_at, ARRAY[own_id],
        ARRAY[replace(type, chr(1), chr(1) || '1')], ARRAY[replace(correlation_key, chr(1), chr(1) || '1')], '{NULL}',
        ARRAY[convert_to(payload::text, 'UTF8')], ARRAY[{schema}.event_digest(type, payload)], ARRAY[due], '{NULL}', '{false}',
        '{}', '{}');
    IF written.conflict THEN
        RAISE EXCEPTION 'another event of the type `%` was published under this idempotency key', type
            USING ERRCODE = 'unique_violation', DETAIL = format('Its id is %s.', own_id);
    END IF;
    RETURN own_id;
END $$;

REVOKE ALL ON FUNCTION {schema}.publish(text, jsonb, text, text, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION {schema}.publish_within(text, bigint, text[], text[], text[], text[], bytea[], bytea[], bigint[], integer[],
    boolean[], integer[], text[]) FROM PUBLIC;
