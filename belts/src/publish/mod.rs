//! Publishing: from typed events to durable ones.

mod all;
mod one;
mod published;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod within;

pub use all::{PublishAll, publish_all};
pub use one::Publish;
pub use published::{Published, SkippedRun, StartedRun};
