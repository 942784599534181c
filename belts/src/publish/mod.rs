//! Publishing: from typed events to durable ones.

mod all;
mod one;
mod published;

pub use all::{PublishAll, publish_all};
pub use one::Publish;
pub use published::{Published, StartedRun};
