//! Waiting: for a condition, with a deadline, and for a random moment.

use std::time::Duration;

use belts::{Clock as _, SystemClock, Timestamp};

use crate::Failure;

/// From the last kill to the last end: a lease, a sweep, the longest sleep, and a backlog on a slow machine.
const CALM: Duration = Duration::from_secs(60);

/// Until when something that begins now must have come to its end.
pub(crate) fn deadline() -> Timestamp {
    SystemClock.now().after(CALM)
}

/// Tries until it goes through: servers go down, and a worker that was stopped in the middle of a write keeps SQLite's
/// lock for a while. Each failure is noted.
pub(crate) async fn persist<T, F: Future<Output = belts::Result<T>>>(
    attempt: impl Fn() -> F,
    note: impl Fn(&belts::Error),
) -> Result<T, Failure> {
    let deadline = deadline();
    loop {
        let attempt = tokio::time::timeout(CALM, attempt()).await;
        match attempt.map_err(|_| "a call of the store does not return")? {
            Err(error) if error.is_retryable() => {
                note(&error);
                pause(deadline, &error.report()).await?;
            }
            result => return Ok(result?),
        }
    }
}

/// Waits a little before something is looked at again, until the deadline.
pub(crate) async fn pause(deadline: Timestamp, what: &str) -> Result<(), Failure> {
    if SystemClock.now() > deadline {
        return Err(format!("waited in vain for {what}").into());
    }
    rest(Duration::from_millis(100)).await;
    Ok(())
}

pub(crate) async fn rest(duration: Duration) {
    SystemClock
        .sleep_until(SystemClock.now().after(duration))
        .await;
}
