-- What publishing asks. The function `publish` itself is in its latest form in a later migration.

-- Takes back events that target a run which was there already, and drops their numbers.
CREATE FUNCTION {schema}.without_needless(
    INOUT event_numbers bigint[], run_places integer[], run_ranks integer[]
) LANGUAGE plpgsql AS $$
DECLARE
    needless bigint[];
BEGIN
    needless := ARRAY(
        SELECT event_numbers[place] FROM unnest(run_places, run_ranks) AS run (place, rank)
        WHERE event_numbers[place] IS NOT NULL
            AND (SELECT true FROM {schema}.runs WHERE number = event_numbers[place] << 16 | rank) IS NULL);
    DELETE FROM {schema}.events WHERE number = ANY (needless);
    event_numbers := ARRAY(
        SELECT CASE WHEN number <> ALL (needless) THEN number END FROM unnest(event_numbers) AS number);
END $$;
