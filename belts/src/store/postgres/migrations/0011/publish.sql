-- Publishers wait for nobody's own transaction while they hold a session.

-- Writes events and their runs. The store has worked out the runs from the subscriptions of version `in_version`.
CREATE OR REPLACE FUNCTION {schema}.publish(
    in_store text, in_call bigint, in_version bigint,
    -- Sorted by id, each id once.
    in_ids text[], in_types text[], in_keys text[], in_traceparents text[], in_payloads bytea[], in_digests bytea[], in_tickets bigint[], in_nows bigint[], in_idle boolean[],
    in_places bigint[], in_visible bigint[],
    -- Where each stands in the order of publishing, counted from 1.
    in_orders integer[],
    -- Sorted by id. The first is the place of the event, then that among the runs of the event, both counted from 1;
    -- a worker stands where there is room for the run.
    run_places integer[], run_ranks integer[], run_ids text[], run_functions text[], run_dues bigint[], run_retries integer[],
    run_workers bigint[],
    -- Each worker once, with the latest time that it says.
    in_workers bigint[], in_worker_nows bigint[],
    -- The subscriptions have changed: nothing was written.
    OUT stale boolean,
    -- The workers that got their leases.
    OUT living bigint[],
    -- The numbers of the events, or NULL where they or their runs are there already, and nothing was written.
    OUT event_numbers bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
    present bigint;
    drawn bigint[];
    last_seen bigint;
    any_limited boolean;
BEGIN
    living := '{}';
    -- Whoever changes what is awaited waits for all that hold this lock, and is seen by the others.
    LOCK TABLE {schema}.publishing IN ROW SHARE MODE;
    SELECT version, seen, limited INTO present, last_seen, any_limited FROM {schema}.subscriptions_version;
    stale := in_version <> present;
    IF stale THEN
        RETURN;
    END IF;
    drawn := ARRAY(SELECT nextval('{schema}.events_number_seq') FROM generate_series(1, cardinality(in_ids)));
    event_numbers := ARRAY(SELECT drawn[in_order] FROM unnest(in_orders) AS in_order);
    -- What another publisher is writing is waited for, in the order of the ids.
    INSERT INTO {schema}.events (number, published_at, ticket, idle, id, event_type, correlation_key, traceparent,
        payload, digest, place, visible_at, spent)
        SELECT event_numbers[i], in_nows[i], in_tickets[i], in_idle[i] AND coalesce(in_places[i], -1) < 0, in_ids[i], in_types[i], in_keys[i], in_traceparents[i],
            in_payloads[i], in_digests[i], in_places[i], in_visible[i], CASE WHEN in_idle[i] AND in_places[i] >= 0 THEN true END
        FROM generate_series(1, cardinality(in_ids)) AS i
        ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(in_ids) THEN
        event_numbers := ARRAY(
            SELECT (SELECT number FROM {schema}.events WHERE number = event_numbers[i])
            FROM generate_series(1, cardinality(in_ids)) AS i);
    END IF;
    IF cardinality(run_ids) = 0 THEN
        RETURN;
    END IF;
    IF cardinality(in_workers) > 0 THEN
        -- Locked, so that whoever ends the session sees its new runs.
        -- Not before what may have to wait, so that they renew their leases meanwhile.
        PERFORM FROM {schema}.workers WHERE id = ANY (in_workers) ORDER BY id FOR SHARE;
        living := ARRAY(
            SELECT id FROM unnest(in_workers, in_worker_nows) AS asked (worker, now)
            JOIN {schema}.workers ON id = worker AND lease_until > now
            WHERE barred_store IS DISTINCT FROM in_store OR barred_call < in_call);
    END IF;
    INSERT INTO {schema}.runs (number, token, due_at, worker, started_at, retries, id, function_id, status)
        SELECT event_numbers[place] << 16 | run_ranks[i], in_tickets[place],
            CASE WHEN leased THEN NULL
                -- Due at once is due by the clock of the workers, if one was heard of within a day.
                WHEN run_dues[i] <= in_nows[place] AND run_dues[i] > last_seen AND in_nows[place] - last_seen <= 86400000
                THEN last_seen ELSE run_dues[i] END, CASE WHEN leased THEN run_workers[i] END,
            CASE WHEN leased THEN in_nows[place] END, run_retries[i], run_ids[i], run_functions[i],
            CASE WHEN leased THEN 'running' ELSE 'pending' END
        FROM (
            SELECT i, run_places[i] AS place, coalesce(run_workers[i] = ANY (living), false) AS leased
            FROM generate_series(1, cardinality(run_ids)) AS i
        ) AS run
        WHERE event_numbers[place] IS NOT NULL
        ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(run_ids) THEN
        event_numbers := {schema}.without_needless(event_numbers, run_places, run_ranks);
    END IF;
    IF any_limited THEN
        PERFORM {schema}.limit_runs(
            ARRAY(SELECT event_numbers[run_places[i]] << 16 | run_ranks[i] FROM generate_series(1, cardinality(run_ids)) AS i ORDER BY i),
            run_functions, run_dues,
            ARRAY(SELECT in_nows[run_places[i]] FROM generate_series(1, cardinality(run_ids)) AS i ORDER BY i));
    END IF;
    IF EXISTS (SELECT FROM unnest(run_places, run_workers) AS run (place, worker)
               WHERE event_numbers[place] IS NOT NULL AND (worker IS NULL OR worker <> ALL (living))) THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;
