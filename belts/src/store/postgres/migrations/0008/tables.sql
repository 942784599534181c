-- Of a run that has something to undo: how it ends once that is done, `done` then; what its result was when that was decided, since an
-- earlier version that puts it aside writes another; and by when it was to end, which counts no more meanwhile.
ALTER TABLE {schema}.runs
    ADD COLUMN undo text COLLATE "C",
    ADD COLUMN undo_result bytea,
    ADD COLUMN undo_finish_by bigint;
-- A step that is completed and can be undone. An earlier version puts a run with one aside, for others.
CREATE INDEX steps_undoable ON {schema}.steps (run) WHERE state = 'undoable';
