//! Waiting for what other tasks, threads and processes do.

use std::time::Duration;

/// Lets a moment pass, before whoever waits for something looks again.
///
/// A loop that only yields keeps a core busy, and on a machine with two it starves what it waits for.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for happens outside of any clock that a test could move"
)]
pub async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}
