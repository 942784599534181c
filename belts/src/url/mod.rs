//! URLs: of stores and dispatchers, which ones there are, and the options in their queries; and text in any.

mod encoded;
mod known;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod options;

pub(crate) use encoded::encoded;
pub(crate) use known::{Known, find};
