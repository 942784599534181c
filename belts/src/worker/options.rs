//! What can be set on a worker, some of it while it runs.

use std::time::Duration;

/// The settings of a worker that can change while it runs; see [`Worker::configure`](super::Worker::configure).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The most runs at once; default 64.
    pub concurrency: usize,
    /// How often the store is looked at without any message; default 1 s.
    pub sweep: Duration,
    /// How long running steps may take after a shutdown began; default 10 s.
    pub grace: Duration,
    /// How long finished runs are kept; default 30 days.
    pub retention: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: 64,
            sweep: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            retention: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}
