//! The store in Redis: the conformance suite, servers that cannot be used, and connections that break.

use std::time::Duration;

mod backlog;
mod broken;
mod conformance;
mod families;
mod leaks;
mod limits;
mod lost;
mod opening;
mod previous;
mod retention;
mod rollback;
mod runtimes;
mod unreadable;
mod waits;

#[expect(
    clippy::disallowed_methods,
    reason = "the time of a server cannot be moved by hand"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
