//! URLs of stores and dispatchers: which ones there are, and the options in their queries.

mod known;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod options;

pub(crate) use known::{Known, find};
