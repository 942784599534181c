-- No function of ours looks for anything outside of Postgres itself: what another role puts into a schema of the search path
-- would run with our rights. `CREATE OR REPLACE` drops the setting, so a later migration that has it ends with this as well.
DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = '{schema}'::regnamespace AND prokind = 'f' LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', ours);
    END LOOP;
END $$;
