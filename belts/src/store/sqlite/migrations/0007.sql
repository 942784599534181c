-- What runs are about, each as `name=value`.
CREATE TABLE tags (
    tag TEXT NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (tag, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_run ON tags (run);
-- A trigger, since processes of earlier versions remove runs as well, and another run may get the number.
CREATE TRIGGER runs_tags AFTER DELETE ON runs BEGIN
    DELETE FROM tags WHERE run = OLD.number;
END;
