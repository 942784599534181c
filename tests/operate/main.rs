//! What operators see and set: metrics, spans and middleware.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod dogstatsd;
mod metrics;
mod middleware;
mod spans;
mod support;
