-- The span that an event was published in, by W3C Trace Context.
ALTER TABLE {schema}.events ADD COLUMN traceparent text COLLATE "C";
