//! Schedules: functions that the clock starts.
//!
//! Nothing in here does IO or reads a clock: a schedule says which ticks are due and what becomes of them, and the worker writes it down.

mod change;
mod definition;
mod kept;
mod plan;
mod spec;
mod tick;
mod times;
mod when;

pub use definition::{ScheduleDef, WhenDef};
pub(crate) use kept::Kept;
pub use kept::{Counts, LastTick, SkippedTick};
pub(crate) use plan::{IN_TIME, Outcome, Plan, Start};
pub use spec::{Missed, Overlap, Schedule};
pub(crate) use tick::{TICK, to_json};
pub use tick::{Tick, Ticks};
pub(crate) use times::Times;
#[cfg(feature = "cli")]
pub(crate) use when::When;
