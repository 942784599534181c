//! belts
mod clock;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod error;
mod event;
mod function;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod publish;
mod run;
mod step;
pub mod store;
mod terminal;
use __private as private;
#[cfg(feature = "macros")]
pub use belts_macros::*;
pub use clock::*;
pub use context::Context;
pub use error::*;
pub use event::*;
pub use function::*;
pub use publish::Publish;
pub use run::{Backoff, Location};
pub use terminal::*;
