-- Flow options. What they make of a run is decided under the locks of their keys, which are taken in their order before any row.

-- Events that are those of a run stay as long as it does.
CREATE FUNCTION {schema}.keep_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END $$;
CREATE TRIGGER events_joined BEFORE DELETE ON {schema}.events
    FOR EACH ROW WHEN (OLD.joined) EXECUTE FUNCTION {schema}.keep_joined();

-- Lets the next run of a singleton go on, once none of it is left before it.
CREATE FUNCTION {schema}.next_single(in_single text, in_at bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first bigint;
    head record;
BEGIN
    LOOP
        first := (SELECT number FROM {schema}.runs WHERE single = in_single AND finished_at IS NULL ORDER BY number LIMIT 1);
        EXIT WHEN first IS NULL;
        -- Of two that end at once, each would otherwise take the other for live.
        SELECT flow, due_at, worker, started_at, finished_at INTO head FROM {schema}.runs WHERE number = first FOR UPDATE;
        CONTINUE WHEN NOT FOUND OR head.finished_at IS NOT NULL;
        IF head.flow = 'queues' AND head.due_at IS NULL AND head.worker IS NULL AND head.started_at IS NULL THEN
            UPDATE {schema}.runs SET due_at = in_at WHERE number = first;
            -- Nobody has this name, so all hear of it.
            PERFORM pg_notify('{channel}', '');
        END IF;
        EXIT;
    END LOOP;
END $$;

CREATE FUNCTION {schema}.leave_single() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.next_single(NEW.single, NEW.finished_at);
    RETURN NULL;
END $$;
CREATE TRIGGER runs_next AFTER UPDATE OF finished_at ON {schema}.runs
    FOR EACH ROW WHEN (NEW.single IS NOT NULL AND NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL)
    EXECUTE FUNCTION {schema}.leave_single();

CREATE FUNCTION {schema}.leave_flow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    joined_events bigint[] := ARRAY(SELECT event FROM {schema}.run_events WHERE run = OLD.number ORDER BY event);
BEGIN
    IF cardinality(joined_events) > 0 THEN
        DELETE FROM {schema}.run_events WHERE run = OLD.number;
        -- Some may be those of another run as well, of another function.
        joined_events := ARRAY(SELECT one FROM unnest(joined_events) AS one
            WHERE NOT EXISTS (SELECT FROM {schema}.run_events WHERE event = one) ORDER BY one);
        UPDATE {schema}.events SET joined = NULL WHERE number = ANY (joined_events);
        UPDATE {schema}.events SET idle = coalesce(place, -1) < 0, spent = CASE WHEN place >= 0 THEN true END
            WHERE number = ANY (joined_events) AND (SELECT true FROM {schema}.runs
                WHERE runs.number BETWEEN events.number << 16 AND events.number << 16 | 65535 LIMIT 1) IS NULL;
    END IF;
    IF OLD.single IS NOT NULL AND OLD.finished_at IS NULL THEN
        PERFORM {schema}.next_single(OLD.single, coalesce((SELECT seen FROM {schema}.subscriptions_version), 0));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_leave AFTER DELETE ON {schema}.runs
    FOR EACH ROW WHEN (OLD.flow IS NOT NULL) EXECUTE FUNCTION {schema}.leave_flow();

-- Takes the locks of keys, in an order of their own. Keys share 64 of them: a server has a table for so many in all.
CREATE FUNCTION {schema}.lock_flow(in_ids text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    share bigint;
BEGIN
    FOR share IN SELECT DISTINCT hashtextextended(id, 0) & 63 FROM unnest(in_ids) AS id ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(share::text, {flows}));
    END LOOP;
END $$;

-- Locks runs, with those that have these keys. Of a singleton's line the first is locked, whatever has become of it by then: when it
-- ends, whoever stands behind it is there to be let go.
CREATE FUNCTION {schema}.lock_flow_runs(in_ids text[], in_runs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    holders bigint[];
    key text;
    first bigint;
BEGIN
    holders := in_runs || ARRAY(
        SELECT number FROM {schema}.flow_keys JOIN {schema}.runs ON runs.id = flow_keys.run WHERE flow_keys.id = ANY (in_ids)
        UNION ALL
        SELECT number FROM {schema}.runs WHERE single = ANY (in_ids) AND single IS NOT NULL AND finished_at IS NULL
            AND (flow IS DISTINCT FROM 'queues' OR due_at IS NOT NULL OR worker IS NOT NULL OR started_at IS NOT NULL));
    PERFORM FROM {schema}.runs WHERE number = ANY (holders) ORDER BY number FOR UPDATE;
    FOREACH key IN ARRAY in_ids LOOP
        LOOP
            first := (SELECT number FROM {schema}.runs WHERE single = key AND finished_at IS NULL ORDER BY number LIMIT 1);
            EXIT WHEN first IS NULL OR first = ANY (holders);
            PERFORM FROM {schema}.runs WHERE number = first FOR UPDATE;
            holders := holders || first;
        END LOOP;
    END LOOP;
END $$;

CREATE FUNCTION {schema}.keep_flow(in_id text, in_at bigint, in_run text, in_count integer, in_until bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.flow_keys (id, at, run, count, until) VALUES (in_id, in_at, in_run, in_count, in_until)
        ON CONFLICT (id) DO UPDATE SET at = in_at, run = in_run, count = in_count, until = in_until;
END $$;

-- Lets a run wait, whether it is leased or not.
CREATE FUNCTION {schema}.hold_run(in_number bigint, in_flow text, in_due bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.runs SET status = CASE WHEN in_due IS NULL THEN 'suspended' ELSE 'pending' END, due_at = in_due, worker = NULL,
        started_at = NULL, flow = in_flow, keeps_time = NULL WHERE number = in_number;
END $$;

CREATE FUNCTION {schema}.skip_run(in_number bigint, in_by text, in_other text, in_cause text, in_now bigint, OUT routed text, OUT other text)
LANGUAGE plpgsql AS $$
BEGIN
    routed := 'skipped:' || in_by || coalesce(':' || in_other, '');
    UPDATE {schema}.runs SET flow = routed, started_at = NULL, status = 'cancelled', due_at = NULL, worker = NULL,
        result = convert_to(in_cause, 'UTF8'), finished_at = in_now WHERE number = in_number;
END $$;

-- Applies flow options to a run, which is leased or has just been published. `routed` is "starts", "waits", "joined", "gone", or the mark of one that is skipped.
CREATE FUNCTION {schema}.apply_flow(
    in_number bigint, in_now bigint, in_flow jsonb, in_leased boolean, OUT routed text, OUT until bigint, OUT other text
) LANGUAGE plpgsql AS $$
DECLARE
    own record;
    kept record;
    open_run record;
    spec jsonb;
    key text;
    live bigint[];
    live_id text;
    since bigint;
    due bigint;
    next_at bigint;
    once_key text;
    once_until bigint;
    rate_key text;
    rate_next bigint;
    queues boolean := false;
BEGIN
    SELECT number, id, due_at, flow INTO own FROM {schema}.runs WHERE number = in_number FOR UPDATE;
    IF NOT FOUND THEN
        routed := 'gone';
        RETURN;
    END IF;
    -- By the clock of whoever asks, which is that of its periods, unless it is delayed.
    since := greatest(coalesce(own.due_at, in_now), in_now);
    -- They were applied.
    IF own.flow LIKE 'skipped:%' THEN
        routed := own.flow;
        RETURN;
    ELSIF own.flow IN ('starts', 'throttled') OR own.flow IS NOT NULL AND NOT in_leased THEN
        -- A publish is sent again whose answer was lost.
        routed := CASE WHEN since > in_now OR own.flow = 'queues' THEN 'waits' ELSE 'starts' END;
        until := CASE WHEN since > in_now THEN since END;
        RETURN;
    END IF;
    IF own.flow IS NULL THEN
        spec := in_flow -> 'idempotent';
        IF spec IS NOT NULL THEN
            once_key := spec ->> 'id';
            once_until := since + (spec ->> 'within')::bigint;
            SELECT run INTO kept FROM {schema}.flow_keys WHERE id = once_key AND flow_keys.until > since AND run <> own.id;
            IF FOUND THEN
                SELECT * INTO routed, other FROM {schema}.skip_run(in_number, 'idempotent', kept.run, spec ->> 'cause', in_now);
                RETURN;
            END IF;
        END IF;
        spec := in_flow -> 'rate_limit';
        IF spec IS NOT NULL THEN
            rate_key := spec ->> 'id';
            next_at := (SELECT at FROM {schema}.flow_keys WHERE id = rate_key);
            -- What lies further ahead than any of these could was kept by a clock that was set back since; the clocks of publishers
            -- differ a little.
            IF next_at > since * 1000 + (spec ->> 'ahead')::bigint + (spec ->> 'interval')::bigint + 60000000 THEN
                next_at := NULL;
            END IF;
            next_at := greatest(coalesce(next_at, since * 1000), since * 1000);
            IF next_at - (spec ->> 'ahead')::bigint > since * 1000 THEN
                SELECT * INTO routed, other FROM {schema}.skip_run(in_number, 'rate_limit', NULL, spec ->> 'cause', in_now);
                RETURN;
            END IF;
            rate_next := next_at + (spec ->> 'interval')::bigint;
        END IF;
        spec := in_flow -> 'singleton';
        IF spec IS NOT NULL THEN
            key := spec ->> 'id';
            SELECT array_agg(number ORDER BY number), (array_agg(id ORDER BY number DESC))[1] INTO live, live_id FROM (
                SELECT number, id FROM {schema}.runs WHERE single = key AND finished_at IS NULL AND number <> in_number
                ORDER BY number LIMIT CASE WHEN spec ->> 'then' = 'replace' THEN NULL ELSE 1 END) AS line;
            -- One that comes late is skipped as well: the run of a later event stays.
            IF spec ->> 'then' = 'skip' AND live IS NOT NULL
                OR spec ->> 'then' = 'replace' AND live[cardinality(live)] > in_number THEN
                SELECT * INTO routed, other FROM {schema}.skip_run(in_number, 'singleton', live_id, spec ->> 'cause', in_now);
                RETURN;
            ELSIF live IS NOT NULL AND spec ->> 'then' = 'replace' THEN
                PERFORM {schema}.lock_families('{}', live);
                PERFORM {schema}.cancel_runs(live, in_now);
            END IF;
            queues := live IS NOT NULL AND spec ->> 'then' = 'queue';
            UPDATE {schema}.runs SET single = key WHERE number = in_number;
        END IF;
        IF once_key IS NOT NULL THEN
            PERFORM {schema}.keep_flow(once_key, since, own.id, 1, once_until);
        END IF;
        IF rate_key IS NOT NULL THEN
            PERFORM {schema}.keep_flow(rate_key, rate_next, NULL, 1, rate_next / 1000 + 1);
        END IF;
        IF queues THEN
            PERFORM {schema}.hold_run(in_number, 'queues', NULL);
            routed := 'waits';
            RETURN;
        END IF;
        spec := coalesce(in_flow -> 'debounce', in_flow -> 'batch');
        IF spec IS NOT NULL THEN
            key := spec ->> 'id';
            SELECT flow_keys.at, flow_keys.count, runs.number, runs.id, coalesce(runs.flow IN ('debounced', 'batched'), false)
                    AND runs.worker IS NULL AND runs.started_at IS NULL AND runs.finished_at IS NULL AS is_open INTO open_run
                FROM {schema}.flow_keys JOIN {schema}.runs ON runs.id = flow_keys.run
                WHERE flow_keys.id = key AND runs.number <> in_number;
            next_at := CASE WHEN open_run.is_open THEN least(open_run.at, since) ELSE since END;
            IF in_flow ? 'debounce' THEN
                due := least(since + (spec ->> 'period')::bigint, next_at + (spec ->> 'max')::bigint);
                IF open_run.number >> 16 > in_number >> 16 THEN
                    -- It was published before the last one, and comes late, whether that one has begun or not.
                    IF open_run.is_open THEN
                        PERFORM {schema}.keep_flow(key, next_at, open_run.id, 1, due);
                        PERFORM {schema}.hold_run(open_run.number, 'debounced', due);
                    END IF;
                    PERFORM {schema}.skip(ARRAY[in_number]);
                    routed := 'joined';
                    other := open_run.id;
                    RETURN;
                END IF;
                IF open_run.is_open THEN
                    PERFORM {schema}.skip(ARRAY[open_run.number]);
                END IF;
                PERFORM {schema}.keep_flow(key, next_at, own.id, 1, due);
                PERFORM {schema}.hold_run(in_number, 'debounced', due);
            ELSIF open_run.is_open AND open_run.count < (spec ->> 'size')::integer THEN
                due := next_at + (spec ->> 'within')::bigint;
                IF open_run.count + 1 >= (spec ->> 'size')::integer THEN
                    due := least(due, since);
                END IF;
                PERFORM {schema}.keep_flow(key, next_at, open_run.id, open_run.count + 1, due);
                INSERT INTO {schema}.run_events (run, event) VALUES (open_run.number, in_number >> 16) ON CONFLICT DO NOTHING;
                PERFORM {schema}.skip(ARRAY[in_number]);
                UPDATE {schema}.events SET joined = true, idle = false, spent = NULL WHERE number = in_number >> 16;
                PERFORM {schema}.hold_run(open_run.number, 'batched', due);
                routed := 'joined';
                other := open_run.id;
                RETURN;
            ELSE
                due := since + CASE WHEN (spec ->> 'size')::integer <= 1 THEN 0 ELSE (spec ->> 'within')::bigint END;
                PERFORM {schema}.keep_flow(key, since, own.id, 1, due);
                PERFORM {schema}.hold_run(in_number, 'batched', due);
            END IF;
            routed := 'waits';
            until := due;
            RETURN;
        END IF;
        IF since > in_now THEN
            PERFORM {schema}.hold_run(in_number, 'delayed', since);
            routed := 'waits';
            until := since;
            RETURN;
        END IF;
    END IF;
    spec := in_flow -> 'throttle';
    routed := 'starts';
    IF spec IS NOT NULL THEN
        key := spec ->> 'id';
        next_at := greatest(coalesce((SELECT at FROM {schema}.flow_keys WHERE id = key), since * 1000), since * 1000);
        -- Rounded up: never before its time.
        due := (greatest(since * 1000, next_at - (spec ->> 'ahead')::bigint) + 999) / 1000;
        next_at := next_at + (spec ->> 'interval')::bigint;
        PERFORM {schema}.keep_flow(key, next_at, NULL, 1, next_at / 1000 + 1);
        IF due > since THEN
            PERFORM {schema}.hold_run(in_number, 'throttled', due);
            routed := 'waits';
            until := due;
            RETURN;
        END IF;
    END IF;
    UPDATE {schema}.runs SET flow = 'starts' WHERE number = in_number;
END $$;

-- Applies flow options to runs that have just been published, in their order. `in_ids` are all their keys, sorted.
CREATE FUNCTION {schema}.flow_runs(in_ids text[], in_runs text[], in_flows text[], in_nows bigint[])
RETURNS TABLE (place bigint, routed text, until bigint, other text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM {schema}.lock_flow(in_ids);
    PERFORM {schema}.lock_flow_runs(in_ids, ARRAY(SELECT number FROM {schema}.runs WHERE id = ANY (in_runs)));
    FOR nth IN 1 .. cardinality(in_runs) LOOP
        RETURN QUERY SELECT nth::bigint, done.routed, done.until, done.other FROM {schema}.apply_flow(
            (SELECT number FROM {schema}.runs WHERE id = in_runs[nth]), in_nows[nth], in_flows[nth]::jsonb, false) AS done;
    END LOOP;
END $$;

-- Applies flow options to a claimed run.
CREATE FUNCTION {schema}.route(
    in_store text, in_number bigint, in_worker bigint, in_token bigint, in_now bigint, in_ids text[], in_flow text,
    OUT routed text, OUT until bigint, OUT other text
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.lock_flow(in_ids);
    PERFORM {schema}.lock_flow_runs(in_ids, ARRAY[in_number]);
    PERFORM FROM {schema}.runs WHERE number = in_number AND worker IS NOT DISTINCT FROM in_worker AND token = in_token FOR UPDATE;
    IF NOT FOUND THEN
        routed := 'lost';
        RETURN;
    END IF;
    SELECT * INTO routed, until, other FROM {schema}.apply_flow(in_number, in_now, in_flow::jsonb, true);
    IF routed <> 'starts' THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;

-- Forgets keys that say nothing any more.
CREATE FUNCTION {schema}.purge_keys(in_before bigint, in_limit bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.flow_keys WHERE id = ANY (ARRAY(
        SELECT id FROM {schema}.flow_keys WHERE until < in_before
            AND NOT EXISTS (SELECT FROM {schema}.runs WHERE runs.id = flow_keys.run AND finished_at IS NULL)
        ORDER BY until LIMIT in_limit FOR UPDATE SKIP LOCKED)) AND until < in_before;
END $$;
