//! belts
mod clock;
pub mod codec;
mod config;
mod context;
mod error;
mod event;
mod failure;
mod function;
#[cfg(feature = "http")]
mod http;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod publish;
mod registry;
mod run;
mod step;
pub mod store;
mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
mod worker;

use __private as private;
#[cfg(feature = "macros")]
pub use belts_macros::*;
pub use clock::{Clock, SystemClock, Timestamp};
pub use context::Context;
pub use error::{Error, ErrorKind, Result};
pub use event::{EncodedEvent, Event, EventSet};
pub use function::{Continuation, Function, FunctionOptions};
pub use publish::{Publish, Published};
pub use run::{Backoff, Location};
pub use terminal::{Terminal, retry_after, terminal};
pub use worker::{Execute, Executed, FinishedRun, RunFailure, Worker, WorkerBuilder, WorkerOptions};
