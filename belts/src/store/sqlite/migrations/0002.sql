-- The span that an event was published in, by W3C Trace Context.
ALTER TABLE events ADD COLUMN traceparent TEXT;
