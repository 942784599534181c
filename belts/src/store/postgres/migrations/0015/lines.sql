-- Lines: where runs stand that count for limits of runs at once, and which may be taken. A place is a lease, so places are counted; a
-- line whose lane is full is parked, and no claim looks at it until a lease of that lane has ended. All of this is done by claims under one
-- lock, which nobody else takes and which they take before they lock any row.

-- Whatever ends a lease. It inserts whether or not somebody waits: a claim that parks a line at this moment is not seen here.
CREATE FUNCTION {schema}.free_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.freed_lanes (lane)
        SELECT lane FROM unnest(ARRAY[OLD.lane_a, OLD.lane_b]) AS lane WHERE lane IS NOT NULL;
    IF EXISTS (SELECT FROM {schema}.lines WHERE parked IN (OLD.lane_a, OLD.lane_b)) THEN
        -- Nobody has this name, so all hear of it.
        PERFORM pg_notify('{channel}', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER runs_freed AFTER UPDATE OF worker ON {schema}.runs
    FOR EACH ROW WHEN (OLD.lane_a IS NOT NULL AND OLD.worker IS NOT NULL AND NEW.worker IS NULL)
    EXECUTE FUNCTION {schema}.free_places();
CREATE TRIGGER runs_freed_gone AFTER DELETE ON {schema}.runs
    FOR EACH ROW WHEN (OLD.lane_a IS NOT NULL AND OLD.worker IS NOT NULL)
    EXECUTE FUNCTION {schema}.free_places();

-- How many places are left of a lane; NULL where it has no limit.
CREATE FUNCTION {schema}.lane_room(
    in_function text, in_lane text, limit_functions text[], limit_pools text[], limits bigint[]
) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    most bigint;
BEGIN
    IF in_lane = '' OR in_lane IS NULL THEN
        RETURN NULL;
    END IF;
    most := (SELECT m FROM unnest(limit_functions, limit_pools, limits) AS asked (f, p, m)
        WHERE f = in_function AND p = split_part(in_lane, E'\x1f', 1) LIMIT 1);
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN most - (SELECT count(*) FROM (
        SELECT FROM {schema}.runs WHERE lane_a = in_lane AND lane_a IS NOT NULL AND (worker + 0) IS NOT NULL
        UNION ALL SELECT FROM {schema}.runs WHERE lane_b = in_lane AND lane_b IS NOT NULL AND (worker + 0) IS NOT NULL
        LIMIT most) AS held);
END $$;

-- The first of a line's lanes that is full, if one is.
CREATE FUNCTION {schema}.full_lane(
    in_function text, in_a text, in_b text, limit_functions text[], limit_pools text[], limits bigint[]
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN {schema}.lane_room(in_function, in_a, limit_functions, limit_pools, limits) <= 0 THEN in_a
        WHEN {schema}.lane_room(in_function, in_b, limit_functions, limit_pools, limits) <= 0 THEN in_b END
$$;

-- Gives runs their lanes, unless they have some; those among them whose leases have ended by that.
CREATE FUNCTION {schema}.stand(in_number bigint, in_lanes jsonb, in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.runs SET lane_a = in_lanes ->> 'a', lane_b = in_lanes ->> 'b', shift = (in_lanes ->> 'shift')::bigint
        WHERE number = in_number AND shift IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- It leaves its lease without having begun, or where it was.
    UPDATE {schema}.runs SET status = CASE WHEN begun THEN 'suspended' ELSE 'pending' END,
        started_at = CASE WHEN begun THEN started_at END, worker = NULL, due_at = in_now, keeps_time = NULL
        FROM (SELECT EXISTS (SELECT FROM {schema}.steps WHERE run = in_number) AS begun OFFSET 0) AS so_far
        WHERE number = in_number AND worker IS NOT NULL;
    RETURN FOUND;
END $$;

-- Applies flow options to runs that have just been published, in their order. `in_ids` are all their keys, sorted.
CREATE OR REPLACE FUNCTION {schema}.flow_runs(in_ids text[], in_runs text[], in_flows text[], in_nows bigint[])
RETURNS TABLE (place bigint, routed text, until bigint, other text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    own bigint;
    flow jsonb;
    done record;
BEGIN
    PERFORM {schema}.lock_flow(in_ids);
    PERFORM {schema}.lock_flow_runs(in_ids, ARRAY(SELECT number FROM {schema}.runs WHERE id = ANY (in_runs)));
    FOR nth IN 1 .. cardinality(in_runs) LOOP
        own := (SELECT number FROM {schema}.runs WHERE id = in_runs[nth]);
        flow := in_flows[nth]::jsonb;
        SELECT * INTO done FROM {schema}.apply_flow(own, in_nows[nth], flow, false);
        -- Whoever reruns one that is skipped passes by the option, and not the limits of runs at once.
        IF flow ? 'lanes' AND (done.routed IN ('starts', 'waits') OR done.routed LIKE 'skipped:%') THEN
            PERFORM {schema}.stand(own, flow -> 'lanes', in_nows[nth]);
        END IF;
        RETURN QUERY SELECT nth::bigint, done.routed, done.until, done.other;
    END LOOP;
END $$;

-- Applies flow options to a claimed run.
CREATE OR REPLACE FUNCTION {schema}.route(
    in_store text, in_number bigint, in_worker bigint, in_token bigint, in_now bigint, in_ids text[], in_flow text,
    OUT routed text, OUT until bigint, OUT other text
) LANGUAGE plpgsql AS $$
DECLARE
    flow jsonb := in_flow::jsonb;
BEGIN
    PERFORM {schema}.lock_flow(in_ids);
    PERFORM {schema}.lock_flow_runs(in_ids, ARRAY[in_number]);
    PERFORM FROM {schema}.runs WHERE number = in_number AND worker IS NOT DISTINCT FROM in_worker AND token = in_token FOR UPDATE;
    IF NOT FOUND THEN
        routed := 'lost';
        RETURN;
    END IF;
    SELECT * INTO routed, until, other FROM {schema}.apply_flow(in_number, in_now, flow, true);
    IF flow ? 'lanes' AND (routed IN ('starts', 'waits') OR routed LIKE 'skipped:%')
        AND {schema}.stand(in_number, flow -> 'lanes', in_now) THEN
        routed := 'waits';
        until := in_now;
    END IF;
    IF routed <> 'starts' THEN
        PERFORM pg_notify('{channel}', in_store);
    END IF;
END $$;

-- Has the next line of a function visited that is parked at a lane, of each event type, since who reads the one need not read the other;
-- whether there is one.
CREATE FUNCTION {schema}.unpark_next(in_lane text, in_function text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    next_type text COLLATE "C" := (SELECT min(event_type) FROM {schema}.lines
        WHERE parked = in_lane AND function_id = in_function AND parked IS NOT NULL);
    is_any boolean := false;
BEGIN
    WHILE next_type IS NOT NULL LOOP
        UPDATE {schema}.lines SET parked = NULL, parked_pool = NULL, parked_limit = NULL WHERE id = (
            SELECT id FROM {schema}.lines WHERE parked = in_lane AND function_id = in_function AND event_type = next_type
                AND parked IS NOT NULL ORDER BY at LIMIT 1);
        is_any := is_any OR FOUND;
        next_type := (SELECT min(event_type) FROM {schema}.lines
            WHERE parked = in_lane AND function_id = in_function AND event_type > next_type AND parked IS NOT NULL);
    END LOOP;
    RETURN is_any;
END $$;

-- Has lines visited of whose lane a place has become free, and those that were parked by a smaller limit than that of now.
CREATE FUNCTION {schema}.unpark(
    in_functions text[], limit_functions text[], limit_pools text[], limits bigint[], OUT more boolean
) LANGUAGE plpgsql AS $$
DECLARE
    freed text[];
    unparked bigint;
    asked text;
    pool text;
BEGIN
    more := false;
    WITH gone AS (
        DELETE FROM {schema}.freed_lanes WHERE id = ANY (ARRAY(
            SELECT id FROM {schema}.freed_lanes ORDER BY id LIMIT 4096 FOR UPDATE SKIP LOCKED)) RETURNING lane
    ) SELECT array_agg(DISTINCT lane) INTO freed FROM gone;
    -- Of each function that waits for one, the line whose turn is next.
    IF freed IS NOT NULL THEN
        PERFORM {schema}.unpark_next(lane, function_id) FROM (
            WITH RECURSIVE waiting AS (
                SELECT lane, (SELECT min(function_id) FROM {schema}.lines WHERE parked = lane AND parked IS NOT NULL) AS function_id
                    FROM unnest(freed) AS lane
                UNION ALL
                SELECT lane, (SELECT min(lines.function_id) FROM {schema}.lines
                        WHERE parked = lane AND parked IS NOT NULL AND lines.function_id > waiting.function_id)
                    FROM waiting WHERE waiting.function_id IS NOT NULL
            ) SELECT lane, function_id FROM waiting WHERE function_id IS NOT NULL) AS found;
    END IF;
    FOREACH asked IN ARRAY in_functions LOOP
        pool := (SELECT min(parked_pool) FROM {schema}.lines WHERE function_id = asked AND parked IS NOT NULL);
        WHILE pool IS NOT NULL LOOP
            UPDATE {schema}.lines SET parked = NULL, parked_pool = NULL, parked_limit = NULL WHERE id = ANY (ARRAY(
                SELECT id FROM {schema}.lines WHERE function_id = asked AND parked_pool = pool AND parked IS NOT NULL
                    AND parked_limit < coalesce((SELECT m FROM unnest(limit_functions, limit_pools, limits) AS given (f, p, m)
                        WHERE f = asked AND p = pool LIMIT 1), 9223372036854775807) LIMIT 64));
            GET DIAGNOSTICS unparked = ROW_COUNT;
            more := more OR unparked = 64;
            pool := (SELECT min(parked_pool) FROM {schema}.lines
                WHERE function_id = asked AND parked IS NOT NULL AND parked_pool > pool);
        END LOOP;
    END LOOP;
END $$;

-- Puts the due runs of functions into their lines, as far as one claim does that. Nobody looks before the first waiting run of each.
CREATE FUNCTION {schema}.enter_lines(in_functions text[], in_dues bigint[], in_numbers bigint[], in_now bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    entering bigint[] := ARRAY(SELECT run.number FROM unnest(in_functions, in_dues, in_numbers) AS head (f, due, first), LATERAL (
        SELECT number FROM {schema}.runs WHERE function_id = f AND due_at IS NOT NULL AND (due_at, number) >= (due, first)
            AND due_at <= in_now AND shift IS NOT NULL
        ORDER BY due_at, number LIMIT 1024 FOR UPDATE SKIP LOCKED) AS run);
BEGIN
    IF cardinality(entering) = 0 THEN
        RETURN;
    END IF;
    WITH run AS MATERIALIZED (
        SELECT runs.function_id, coalesce(events.event_type, '') AS event_type, coalesce(lane_a, '') AS lane_a,
            coalesce(lane_b, '') AS lane_b, least(coalesce(line_at, due_at - shift), due_at - shift) AS place
        FROM {schema}.runs LEFT JOIN {schema}.events ON events.number = runs.number >> 16 WHERE runs.number = ANY (entering)
    ) INSERT INTO {schema}.lines AS known (function_id, event_type, lane_a, lane_b, at)
        SELECT function_id, event_type, lane_a, lane_b, min(place) * 1000 FROM run GROUP BY 1, 2, 3, 4
        -- One that was served keeps its turn.
        ON CONFLICT (function_id, event_type, lane_a, lane_b) DO UPDATE SET at = greatest(excluded.at, known.served)
            WHERE greatest(excluded.at, known.served) < known.at;
    UPDATE {schema}.runs SET line_at = least(coalesce(line_at, due_at - shift), due_at - shift), due_at = NULL, line = (
        SELECT lines.id FROM {schema}.lines WHERE lines.function_id = runs.function_id
            AND lines.event_type = coalesce((SELECT event_type FROM {schema}.events WHERE events.number = runs.number >> 16), '')
            AND lines.lane_a = coalesce(runs.lane_a, '') AND lines.lane_b = coalesce(runs.lane_b, ''))
        WHERE number = ANY (entering);
END $$;

-- Lets the runs of functions whose code has no lanes any more be due as others are. Not while another claim is at the lines.
CREATE FUNCTION {schema}.leave_lines(in_functions text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    leaving bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock({lines}) THEN
        RETURN;
    END IF;
    leaving := ARRAY(SELECT run.number FROM {schema}.lines, LATERAL (
        SELECT number FROM {schema}.runs WHERE line = lines.id AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL
            AND finished_at IS NULL LIMIT 1024 FOR UPDATE SKIP LOCKED) AS run
        WHERE function_id = ANY (in_functions) LIMIT 1024);
    UPDATE {schema}.runs SET due_at = line_at + shift, line_at = NULL WHERE number = ANY (leaving);
    DELETE FROM {schema}.lines WHERE function_id = ANY (in_functions) AND NOT EXISTS (
        SELECT FROM {schema}.runs WHERE line = lines.id AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL
            AND finished_at IS NULL);
END $$;

-- The lines that have work and a place, in the order of their turns, as many as there are to be runs if there are so many. Those without a
-- place are parked.
CREATE FUNCTION {schema}.visit_lines(
    in_functions text[], in_limits bigint[], read_functions text[], read_types text[],
    limit_functions text[], limit_pools text[], limits bigint[], OUT visited bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    line record;
    blocked integer;
BEGIN
    FOR again IN 1 .. 512 LOOP
        visited := '{}';
        blocked := 0;
        FOR line IN
            SELECT seen.*, {schema}.full_lane(function_id, lane_a, lane_b, limit_functions, limit_pools, limits) AS is_full,
                EXISTS (SELECT FROM {schema}.runs WHERE runs.line = seen.id AND line_at IS NOT NULL AND due_at IS NULL
                    AND worker IS NULL AND finished_at IS NULL) AS has_work
            FROM unnest(in_functions, in_limits) AS asked (f, l), LATERAL (
                SELECT array_agg(t) AS types FROM unnest(read_functions, read_types) AS pair (rf, t) WHERE rf = f
                OFFSET 0) AS readable, LATERAL (
                SELECT id, function_id, lane_a, lane_b FROM {schema}.lines
                WHERE function_id = f AND parked IS NULL AND (types IS NULL OR event_type = '' OR event_type = ANY (types))
                ORDER BY at, id LIMIT l OFFSET 0) AS seen
        LOOP
            IF line.is_full IS NULL AND line.has_work THEN
                visited := visited || line.id;
                CONTINUE;
            END IF;
            blocked := blocked + 1;
            IF line.is_full IS NULL THEN
                DELETE FROM {schema}.lines WHERE id = line.id;
            ELSE
                PERFORM {schema}.park(line.id, line.is_full, limit_functions, limit_pools, limits);
            END IF;
            -- It has no use for the place for which it was visited.
            PERFORM {schema}.unpark_next(lane, line.function_id) FROM unnest(ARRAY[line.lane_a, line.lane_b]) AS lane
                WHERE {schema}.lane_room(line.function_id, lane, limit_functions, limit_pools, limits) > 0;
        END LOOP;
        EXIT WHEN blocked = 0;
    END LOOP;
END $$;

CREATE FUNCTION {schema}.park(in_line bigint, in_lane text, limit_functions text[], limit_pools text[], limits bigint[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.lines SET parked = in_lane, parked_pool = split_part(in_lane, E'\x1f', 1), parked_limit = (
        SELECT m FROM unnest(limit_functions, limit_pools, limits) AS asked (f, p, m)
        WHERE f = function_id AND p = split_part(in_lane, E'\x1f', 1) LIMIT 1) WHERE id = in_line;
END $$;

-- The first runs of lines for which there is a place in each of their lanes, whichever functions share these.
CREATE FUNCTION {schema}.heads_of_lines(
    in_lines bigint[], in_most bigint, in_now bigint, limit_functions text[], limit_pools text[], limits bigint[]
) RETURNS TABLE (number bigint, function_id text, due_at bigint, place bigint, grp text, at bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    depth bigint := greatest(1, least(in_most, (2 * in_most) / greatest(1, cardinality(in_lines)) + 1));
    head record;
    seen text[] := '{}';
    taken bigint[] := '{}';
    a integer;
    b integer;
BEGIN
    FOR head IN
        SELECT run.number, known.function_id, run.due_at, run.place, known.lane_a, known.lane_b, known.at, known.room_a, known.room_b
        FROM (SELECT lines.*, {schema}.lane_room(lines.function_id, lane_a, limit_functions, limit_pools, limits) AS room_a,
                {schema}.lane_room(lines.function_id, lane_b, limit_functions, limit_pools, limits) AS room_b
            FROM {schema}.lines WHERE id = ANY (in_lines) OFFSET 0) AS known, LATERAL (
            SELECT runs.number, line_at + shift AS due_at, line_at AS place FROM {schema}.runs
            WHERE line = known.id AND line_at IS NOT NULL AND runs.due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                AND coalesce(finish_by > in_now, true) AND (started_at IS NOT NULL OR coalesce(start_by > in_now, true))
            ORDER BY line_at, runs.number LIMIT least(depth, room_a, room_b) FOR UPDATE SKIP LOCKED) AS run
        ORDER BY row_number() OVER (PARTITION BY known.id ORDER BY run.place, run.number), known.at, run.number
    LOOP
        a := array_position(seen, head.lane_a);
        IF a IS NULL THEN
            seen := seen || head.lane_a;
            taken := taken || 0::bigint;
            a := cardinality(seen);
        END IF;
        b := array_position(seen, head.lane_b);
        IF b IS NULL THEN
            seen := seen || head.lane_b;
            taken := taken || 0::bigint;
            b := cardinality(seen);
        END IF;
        CONTINUE WHEN taken[a] >= head.room_a OR taken[b] >= head.room_b;
        taken[a] := taken[a] + 1;
        IF b <> a THEN
            taken[b] := taken[b] + 1;
        END IF;
        RETURN QUERY SELECT head.number, head.function_id, head.due_at, head.place, head.lane_a || head.lane_b, head.at;
    END LOOP;
END $$;

-- Sends lines that were served to the end of the round, and parks those that have no place left; whether there is more to take.
CREATE FUNCTION {schema}.settle_lines(
    in_lines bigint[], in_taken bigint[], in_now bigint, limit_functions text[], limit_pools text[], limits bigint[], OUT more boolean
) LANGUAGE plpgsql AS $$
DECLARE
    line record;
    turn bigint := greatest((SELECT last FROM {schema}.line_turn), in_now * 1000);
BEGIN
    more := false;
    FOR line IN
        SELECT lines.*, {schema}.full_lane(function_id, lane_a, lane_b, limit_functions, limit_pools, limits) AS is_full,
            (SELECT line_at FROM {schema}.runs WHERE runs.line = lines.id AND line_at IS NOT NULL AND due_at IS NULL
                AND worker IS NULL AND finished_at IS NULL ORDER BY line_at, number LIMIT 1) AS head,
            EXISTS (SELECT FROM {schema}.runs WHERE number = ANY (in_taken) AND runs.line = lines.id) AS was_served
        FROM {schema}.lines WHERE id = ANY (in_lines) ORDER BY at, id
    LOOP
        IF line.head IS NULL THEN
            DELETE FROM {schema}.lines WHERE id = line.id;
        ELSIF line.was_served THEN
            turn := turn + 1;
            UPDATE {schema}.lines SET at = greatest(line.head * 1000, turn), served = turn WHERE id = line.id;
        END IF;
        IF line.head IS NOT NULL AND line.is_full IS NOT NULL THEN
            PERFORM {schema}.park(line.id, line.is_full, limit_functions, limit_pools, limits);
        ELSE
            more := more OR line.head IS NOT NULL;
        END IF;
        more := more OR coalesce((SELECT bool_or({schema}.unpark_next(lane, line.function_id))
            FROM unnest(ARRAY[line.lane_a, line.lane_b]) AS lane
            WHERE {schema}.lane_room(line.function_id, lane, limit_functions, limit_pools, limits) > 0), false);
    END LOOP;
    UPDATE {schema}.line_turn SET last = turn WHERE last < turn;
END $$;

-- Forgets keys that say nothing any more, and what was said of places while nobody stands in line.
CREATE OR REPLACE FUNCTION {schema}.purge_keys(in_before bigint, in_limit bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.flow_keys WHERE id = ANY (ARRAY(
        SELECT id FROM {schema}.flow_keys WHERE until < in_before
            AND NOT EXISTS (SELECT FROM {schema}.runs WHERE runs.id = flow_keys.run AND finished_at IS NULL)
        ORDER BY until LIMIT in_limit FOR UPDATE SKIP LOCKED)) AND until < in_before;
    -- The lock is held to the end of the purge, so it is asked for only where claims have nothing to do under it.
    IF EXISTS (SELECT FROM {schema}.lines) OR NOT EXISTS (SELECT FROM {schema}.freed_lanes) THEN
        RETURN;
    END IF;
    IF pg_try_advisory_xact_lock({lines}) AND NOT EXISTS (SELECT FROM {schema}.lines) THEN
        DELETE FROM {schema}.freed_lanes WHERE id = ANY (ARRAY(
            SELECT id FROM {schema}.freed_lanes ORDER BY id LIMIT in_limit FOR UPDATE SKIP LOCKED));
    END IF;
END $$;
