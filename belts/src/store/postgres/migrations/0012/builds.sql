-- What the builds of programs are called, and which one began a run.
ALTER TABLE {schema}.workers ADD COLUMN build text COLLATE "C";
ALTER TABLE {schema}.runs ADD COLUMN build text COLLATE "C";

-- A run keeps the build of the session that is the first to lease it, by whichever statement, and of whichever version.
CREATE FUNCTION {schema}.keep_build() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.build := (SELECT workers.build FROM {schema}.workers WHERE workers.id = NEW.worker);
    RETURN NEW;
END $$;
CREATE TRIGGER runs_begun_at_once BEFORE INSERT ON {schema}.runs
    FOR EACH ROW WHEN (NEW.worker IS NOT NULL) EXECUTE FUNCTION {schema}.keep_build();
CREATE TRIGGER runs_begun BEFORE UPDATE OF started_at ON {schema}.runs
    FOR EACH ROW WHEN (OLD.started_at IS NULL AND NEW.worker IS NOT NULL) EXECUTE FUNCTION {schema}.keep_build();
