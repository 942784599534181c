//! Code of yours around every function and every step: limits, checks, clean-up, measurements.
//!
//! A [`Middleware`] is given to a worker by [`middleware`](crate::WorkerBuilder::middleware); the one that was given first is
//! outermost. It awaits [`next`](Next::call) and sees what comes of it, or returns an error instead:
//!
//! ```rust,standalone_crate
//! use async_trait::async_trait;
//! use belts::middleware::{Middleware, Next, Outcome, RunInfo};
//! use std::time::Duration;
//!
//! /// Fails runs for good that are older than this when they are to go on.
//! struct Deadline(Duration);
//!
//! #[async_trait]
//! impl Middleware for Deadline {
//!     async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
//!         if run.age() > self.0 {
//!             return Err(belts::terminal(format!("the run is older than {:?}", self.0)));
//!         }
//!         next.call().await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> belts::Result<()> {
//! let worker = belts::Worker::builder()
//!     .store(belts::store::Memory::new())
//!     .middleware(Deadline(Duration::from_secs(7 * 24 * 60 * 60)))
//!     .build()
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! # What counts
//!
//! - Around a step, what the outermost middleware returns is the outcome of the attempt: an error is a failed attempt, retried
//!   by the step's policy unless it is [terminal](crate::error::terminal()). The time limit of the step is inside.
//! - Around a function it is the outcome of the function's attempt. The time limit of the function is outside.
//! - `Ok` without the value that [`next`](Next::call) would have brought is an error of kind
//!   [`Config`](crate::ErrorKind::Config), and final.
//! - A panic is a failed attempt.
//! - A step that is replayed from the journal does not come by here. A function does each time it is driven: after every sleep,
//!   retry and crash anew.
//! - When a run leaves memory, for a sleep or since its worker ends, its futures are dropped: what a middleware wants done
//!   then goes into a `Drop`.
//! - A middleware sees values only where it asks for the event's; it cannot change any.

mod chain;
mod info;

pub(crate) use chain::{Around, Layers, around};
pub use chain::{Middleware, Next, Outcome};
pub use info::{RunInfo, StepInfo};
