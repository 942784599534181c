-- What has arrived for waits.

-- The events that open waits of runs may find: of each wait the earliest, no more than sixteen, with their sizes. The event that started
-- the run is none of them.
CREATE FUNCTION {schema}.candidates(in_runs bigint[])
RETURNS TABLE (run bigint, seq integer, nth bigint, place bigint, event bigint, bytes bigint) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT * FROM (
        SELECT wait.run, wait.seq, row_number() OVER (PARTITION BY wait.run, wait.seq ORDER BY found.place) AS nth,
            found.place, found.number, found.bytes
        FROM unnest(in_runs) AS asked (run), LATERAL (
            SELECT * FROM {schema}.waits WHERE waits.run = asked.run AND open OFFSET 0) AS wait, LATERAL (
            SELECT events.place, number, octet_length(payload)::bigint AS bytes FROM {schema}.events
            WHERE event_type = wait.event_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = wait.lane
                AND events.place > 0 AND events.place > wait.cursor
                AND coalesce('k' || correlation_key, '') = wait.wanted_key AND number <> wait.run >> 16
            ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0), events.place LIMIT {arrivals}) AS found) AS candidate
        WHERE candidate.nth <= {arrivals};
END $$;

-- The first of each wait, and more as far as there is room.
CREATE FUNCTION {schema}.arrivals(in_runs bigint[], in_room bigint)
RETURNS TABLE (run bigint, seq integer, place bigint, id text, event_type text, payload bytea) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    candidate record;
    room bigint := in_room;
    full_run bigint;
    full_seq integer;
    chosen_runs bigint[] := '{}';
    chosen_seqs integer[] := '{}';
    chosen_events bigint[] := '{}';
BEGIN
    FOR candidate IN SELECT * FROM {schema}.candidates(in_runs) AS found ORDER BY found.run, found.seq, found.place LOOP
        CONTINUE WHEN candidate.run = full_run AND candidate.seq = full_seq;
        IF candidate.nth > 1 THEN
            IF candidate.bytes > room THEN
                full_run := candidate.run;
                full_seq := candidate.seq;
                CONTINUE;
            END IF;
            room := room - candidate.bytes;
        END IF;
        chosen_runs := chosen_runs || candidate.run;
        chosen_seqs := chosen_seqs || candidate.seq;
        chosen_events := chosen_events || candidate.event;
    END LOOP;
    RETURN QUERY SELECT choice.run, choice.seq, event.place, event.id, event.event_type, event.payload
        FROM unnest(chosen_runs, chosen_seqs, chosen_events) WITH ORDINALITY AS choice (run, seq, event, nth), LATERAL (
            SELECT * FROM {schema}.events WHERE number = choice.event OFFSET 0) AS event
        ORDER BY nth;
END $$;

-- Makes runs due that were suspended though something has arrived for them; whether there are any.
CREATE FUNCTION {schema}.hurry(in_runs bigint[], in_now bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {schema}.runs SET due_at = least(coalesce(due_at, in_now), in_now)
        WHERE number = ANY (ARRAY(SELECT DISTINCT run FROM {schema}.candidates(in_runs))) AND status = 'suspended';
    RETURN FOUND;
END $$;

-- The place behind which a run looks for events of a type and key, by the event that started it. That was published before the run began,
-- whatever the clock of its publisher said.
CREATE FUNCTION {schema}.place_behind(in_run bigint, in_type text, in_key text, in_after text, in_value bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    in_event bigint := in_run >> 16;
    own_lane bigint := hashtextextended(in_key, 0);
    last_place bigint := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {schema}.places);
    -- Somebody may look back very far.
    from_time bigint := greatest(in_value, -4611686018427387904);
    start_visible bigint;
    start_published bigint;
    event record;
    behind bigint;
    preceding integer := 0;
    -- Clocks may differ by so much.
    trusted CONSTANT bigint := 60000;
BEGIN
    IF in_after = 'place' THEN
        RETURN in_value;
    ELSIF in_after = 'now' THEN
        RETURN last_place;
    ELSIF in_after = 'start' THEN
        SELECT visible_at, least(published_at, (SELECT started_at FROM {schema}.runs WHERE number = in_run))
            INTO start_visible, start_published FROM {schema}.events WHERE number = in_event;
        IF start_visible IS NULL THEN
            -- Backwards from the last, before the first that did not precede it. Numbers are committed in any order, so there may be
            -- some that precede it among those that do not: a few, unless they are of about the same time.
            FOR event IN SELECT place, coalesce(visible_at, published_at) AS visible, CASE WHEN number = in_event THEN true WHEN visible_at IS NULL THEN number < in_event
                    ELSE visible_at < start_published END AS precedes
                FROM {schema}.events
                WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
                    AND coalesce('k' || correlation_key, '') = in_key
                ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0) DESC, place DESC
            LOOP
                IF NOT event.precedes THEN
                    behind := event.place - 1;
                    preceding := 0;
                ELSE
                    behind := coalesce(behind, event.place);
                    preceding := preceding + 1;
                    EXIT WHEN preceding = 1000 OR preceding >= 8 AND event.visible < start_published - trusted;
                END IF;
            END LOOP;
            RETURN coalesce(behind, 0);
        END IF;
        from_time := start_visible;
    END IF;
    -- Before the first that became visible then or later, which is looked for backwards. Nearly always the last one was long before.
    FOR event IN SELECT place, coalesce(visible_at, published_at) AS visible FROM {schema}.events
        WHERE event_type = in_type AND hashtextextended(coalesce('k' || correlation_key, ''), 0) = own_lane AND place > 0
            AND coalesce('k' || correlation_key, '') = in_key
        ORDER BY hashtextextended(coalesce('k' || correlation_key, ''), 0) DESC, place DESC
    LOOP
        EXIT WHEN event.visible < from_time - trusted;
        IF event.visible >= from_time THEN
            behind := event.place - 1;
        END IF;
    END LOOP;
    RETURN coalesce(behind, last_place);
END $$;
