//! Waiting for what other tasks, threads and processes do, but not for ever.

use std::{future::IntoFuture, time::Duration};

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

/// Waits, but not for ever.
///
/// A busy machine is given time, but less than a lease lasts unless a test says otherwise: what is to come of a wake-up must not pass
/// because a lease ended.
///
/// # Panics
/// It takes longer than 25 seconds.
pub fn within<T>(what: &str, future: impl IntoFuture<Output = T>) -> impl Future<Output = T> {
    within_time(Duration::from_secs(25), what, future)
}

/// Waits, but not for longer than this.
///
/// # Panics
/// It takes longer.
pub fn within_time<T>(
    time: Duration,
    what: &str,
    future: impl IntoFuture<Output = T>,
) -> impl Future<Output = T> {
    // Boxed, since a whole harness may be in it.
    let waited = Box::pin(tokio::time::timeout(time, future.into_future()));
    async move {
        match waited.await {
            Ok(value) => value,
            Err(elapsed) => panic!("{what}: {elapsed} after {time:?}"),
        }
    }
}
