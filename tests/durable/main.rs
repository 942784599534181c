//! What belts promises about runs, one rule a test; the rules are sections 4 and 5 of the guarantees.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod again;
mod beside;
mod delivery;
mod functions;
mod journal;
mod late;
mod lease;
mod outcomes;
mod panics;
mod places;
mod runs;
mod support;
mod sweeps;
mod time;
mod values;
mod workers;
