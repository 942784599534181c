-- Events that have a run which starts others by them.

-- As the smaller `publish`; of each run it is told the parent as well, where there is one.
CREATE FUNCTION {schema}.publish(
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
    run_parents text[], run_depths integer[], run_attached boolean[],
    OUT stale boolean, OUT living bigint[], OUT event_numbers bigint[]
) LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO stale, living, event_numbers FROM {schema}.publish(in_store, in_call, in_version, in_ids, in_types, in_keys, in_traceparents, in_payloads, in_digests, in_tickets, in_nows, in_idle, in_places, in_visible, in_orders, run_places, run_ranks, run_ids, run_functions, run_dues, run_retries, run_workers, in_workers, in_worker_nows);
    FOR i IN 1..cardinality(run_ids) LOOP
        CONTINUE WHEN run_parents[i] IS NULL;
        UPDATE {schema}.runs SET parent = run_parents[i], parent_depth = run_depths[i], attached = run_attached[i]
            WHERE number = event_numbers[run_places[i]] << 16 | run_ranks[i];
    END LOOP;
    PERFORM {schema}.note_attached(ARRAY(
        SELECT parent FROM unnest(run_parents, run_attached) AS started (parent, is_attached) WHERE is_attached));
END $$;
