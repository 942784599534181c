-- What runs are about, each as `name=value`.
CREATE TABLE {schema}.tags (
    tag text COLLATE "C" NOT NULL,
    run bigint NOT NULL,
    PRIMARY KEY (tag, run)
);
CREATE INDEX tags_run ON {schema}.tags (run);

-- A trigger, since processes of earlier versions remove runs as well.
CREATE FUNCTION {schema}.remove_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM {schema}.tags WHERE run IN (SELECT number FROM removed);
    RETURN NULL;
END;
$$;
CREATE TRIGGER remove_tags AFTER DELETE ON {schema}.runs REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.remove_tags();
