//! Tests of functions: an in-memory worker with a manual clock, presets of steps, and crashes on demand.
//!
//! ```rust,standalone_crate
//! use belts::{Event, sleep, step, testing::Harness};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, Event)]
//! struct OrderCreated { cents: u64 }
//!
//! async fn charge(cents: u64) -> belts::Result<String> {
//!     Err(belts::terminal(format!("no card to charge {cents} to")))
//! }
//!
//! #[belts::function(id = "process-order", on = OrderCreated)]
//! async fn process_order(order: OrderCreated) -> belts::Result<String> {
//!     let payment = step!("charge-payment", charge(order.cents)).await?;
//!     sleep!("cool-off", "10m").await?;
//!     Ok(format!("receipt for {payment}"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> belts::Result<()> {
//! let harness = Harness::builder().preset("charge-payment", Ok("p-1".to_owned())).build().await?;
//! let run = harness.run(process_order, OrderCreated { cents: 500 }).await?;
//! assert_eq!(run.output()?, "receipt for p-1");
//! run.assert_steps(&["charge-payment", "cool-off"]);
//! # Ok(()) }
//! ```
//!
//! The pieces: [`Harness`] runs functions and reads what they recorded; [`ManualClock`] is its clock, and can be the clock of
//! any worker; [`Faults`] wraps a store and makes it fail or crash; [`sweep()`] crashes a function at each of its writes
//! and compares the results.

mod clock;
mod diff;
mod faults;
mod faulty;
mod harness;
mod keys;
mod probe;
mod reopen;
mod sweep;
mod view;

pub use clock::ManualClock;
pub use faults::{Crash, Faults};
#[cfg(feature = "http")]
pub use harness::{Answer, Post};
pub use harness::{Deliver, Harness, HarnessBuilder, Replayed, TestRun};
pub(crate) use probe::{Instead, Probe, misfit};
pub use reopen::Reopen;
#[cfg(feature = "sqlite")]
pub use reopen::SqliteFile;
pub use sweep::{Case, Sweep, SweepReport, sweep};
pub use view::TestStore;
