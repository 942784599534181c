//! Every example, run as its first lines say, but for `order`, which the suite of the dispatchers runs.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod apart;
mod hosts;
mod lambda;
mod program;
mod queues;
