//! The store in Postgres: the conformance suite, what its servers may be, and what breaks.

mod conformance;
