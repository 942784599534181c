-- What the builds of programs are called, and which one began a run.
ALTER TABLE workers ADD COLUMN build INTEGER;
ALTER TABLE runs ADD COLUMN build INTEGER;
