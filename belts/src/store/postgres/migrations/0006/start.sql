-- Runs that commits start, with their times where functions have limits.

-- Starts runs that are not there, of commits that were not lost.
CREATE OR REPLACE FUNCTION {schema}.start(
    in_store text, in_now bigint, lost integer[],
    s_places integer[], s_ids text[], s_types text[], s_keys text[], s_traceparents text[], s_payloads bytea[], s_digests bytea[],
    s_visible bigint[], s_runs text[], s_functions text[], s_dues bigint[], s_retries integer[], s_parents text[],
    s_depths integer[], s_attached boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted integer[];
    drawn bigint[];
    last_seen bigint := (SELECT seen FROM {schema}.subscriptions_version);
BEGIN
    wanted := ARRAY(SELECT i FROM generate_series(1, cardinality(s_places)) AS i WHERE lost IS NULL OR s_places[i] <> ALL (lost));
    wanted := ARRAY(
        SELECT i FROM unnest(wanted) AS i WHERE (SELECT true FROM {schema}.runs WHERE id = s_runs[i]) IS NULL ORDER BY s_ids[i]);
    IF cardinality(wanted) = 0 THEN
        RETURN;
    END IF;
    drawn := ARRAY(SELECT nextval('{schema}.events_number_seq') FROM generate_series(1, cardinality(s_places)));
    -- What another one is writing is waited for, in the order of the ids.
    INSERT INTO {schema}.events (number, published_at, ticket, idle, id, event_type, correlation_key, traceparent, payload, digest,
        place, visible_at)
        SELECT drawn[i], in_now, floor(random() * 4611686018427387904)::bigint, false, s_ids[i], s_types[i], s_keys[i],
            s_traceparents[i], s_payloads[i], s_digests[i], -1, s_visible[i]
        FROM unnest(wanted) AS i
        ON CONFLICT (id) DO NOTHING;
    INSERT INTO {schema}.runs (number, token, due_at, retries, id, function_id, status, parent, parent_depth, attached)
        SELECT event.number << 16 | 1, event.ticket,
            CASE WHEN s_dues[i] <= in_now AND s_dues[i] > last_seen AND in_now - last_seen <= 86400000
                THEN last_seen ELSE s_dues[i] END,
            s_retries[i], s_runs[i], s_functions[i], 'pending', s_parents[i], s_depths[i], s_attached[i]
        FROM unnest(ARRAY(SELECT i FROM unnest(wanted) AS i ORDER BY s_runs[i])) AS i, LATERAL (
            SELECT number, ticket FROM {schema}.events WHERE number = drawn[i] OFFSET 0) AS event
        ON CONFLICT (id) DO NOTHING;
    -- Those whose runs somebody else has started meanwhile.
    DELETE FROM {schema}.events WHERE number = ANY (ARRAY(
        SELECT drawn[i] FROM unnest(wanted) AS i
        WHERE (SELECT true FROM {schema}.runs WHERE number = drawn[i] << 16 | 1) IS NULL));
    -- Runs of these ids were there before. What was told of others is of those that somebody else has started meanwhile.
    PERFORM {schema}.untell(ARRAY(
        SELECT s_runs[i] FROM unnest(wanted) AS i WHERE (SELECT true FROM {schema}.runs WHERE number = drawn[i] << 16 | 1)));
    IF (SELECT limited FROM {schema}.subscriptions_version) THEN
        PERFORM {schema}.limit_runs(ARRAY(SELECT drawn[i] << 16 | 1 FROM unnest(wanted) AS i ORDER BY i),
            ARRAY(SELECT s_functions[i] FROM unnest(wanted) AS i ORDER BY i),
            ARRAY(SELECT s_dues[i] FROM unnest(wanted) AS i ORDER BY i), array_fill(in_now, ARRAY[cardinality(wanted)]));
    END IF;
    PERFORM {schema}.note_attached(ARRAY(SELECT s_parents[i] FROM unnest(wanted) AS i WHERE s_attached[i]));
    PERFORM pg_notify('{channel}', in_store);
END $$;
