//! What belts promises about runs, one rule a test; the rules are sections 4 and 5 of the guarantees.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod again;
mod beside;
mod blocking;
mod callbacks;
mod callbacks_raced;
mod callbacks_values;
mod calls;
mod cancel;
mod crashes;
mod delivery;
mod ends;
mod events;
mod fallen;
mod falls;
mod functions;
mod gated;
mod goodbyes;
mod handles;
mod hooks;
mod journal;
mod late;
mod lease;
mod logs;
mod long;
mod outcomes;
mod panics;
mod places;
mod races;
mod races_errors;
mod races_journal;
mod races_resumed;
mod races_timed;
mod runs;
mod runtimes;
mod sessions;
mod setbacks;
mod subscribers;
mod sweeps;
mod time;
mod typed;
mod values;
mod versions;
mod waits;
mod workers;
