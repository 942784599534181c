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
//!   by the step's policy unless it is [terminal](crate::terminal()). The time limit of the step is inside.
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

use std::sync::Arc;

use async_trait::async_trait;

pub use chain::Next;
pub(crate) use chain::{Around, around};
pub use info::{RunInfo, StepInfo};

use crate::error::Result;

/// What came of a function or a step, without its value.
pub type Outcome = Result<()>;

/// Code around functions and steps; see the [module](self).
///
/// Put [`#[async_trait]`](https://docs.rs/async-trait) on an impl.
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Is called around each drive of a run's function.
    ///
    /// # Errors
    /// An error is the outcome of the function's attempt.
    async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
        let _ = run;
        next.call().await
    }

    /// Is called around each attempt of a step.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// use belts::middleware::{Middleware, Next, Outcome, StepInfo};
    ///
    /// /// Prints how each attempt of a step ended.
    /// struct Report;
    ///
    /// #[async_trait]
    /// impl Middleware for Report {
    ///     async fn step(&self, step: &StepInfo, next: Next<'_>) -> Outcome {
    ///         let outcome = next.call().await;
    ///         let word = outcome.as_ref().map_or_else(|error| error.kind().as_str(), |()| "ok");
    ///         println!("{} of {}, attempt {}: {word}", step.path(), step.run().run_id(), step.attempt());
    ///         outcome
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// An error is the outcome of the attempt.
    async fn step(&self, step: &StepInfo, next: Next<'_>) -> Outcome {
        let _ = step;
        next.call().await
    }
}

/// The middleware of a worker, outermost first.
pub(crate) type Layers = Vec<Arc<dyn Middleware>>;
