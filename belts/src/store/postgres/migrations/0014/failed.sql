-- Runs that failed or were cancelled, which are few beside all others and often looked for. Nothing else is written for it.
CREATE INDEX runs_failed ON {schema}.runs (number) WHERE status IN ('failed', 'cancelled');
