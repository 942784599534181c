//! What operators see and set: metrics and middleware. Spans are a binary of their own.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

mod dogstatsd;
mod measured;
mod metrics;
mod middleware;
