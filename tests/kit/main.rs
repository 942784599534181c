//! The testing kit, used as people use it.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod asserts;
mod crashes;
mod long;
mod original;
mod presets;
mod router;
mod runs;
mod scopes;
mod state;
mod time;
mod waits;
