//! The store in Redis: the conformance suite, what its servers may be, and what breaks.

mod conformance;
