//! New code over work in flight: the check, builds of programs, and runs that are exported and replayed.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod breaking;
mod builds;
mod changes;
mod environment;
mod export;
mod harmless;
mod kinds;
mod odd;
mod shop;
mod untouched;
