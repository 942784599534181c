//! The resources that a worker spends on requests.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Used if the system does not reveal how many files and connections a process may have open; some allow only this many.
#[cfg(not(unix))]
const OPEN_FILES: usize = 256;
/// The default maximum of connections.
const CONNECTIONS: usize = 1024;
/// The default maximum of waiting requests.
const WAITING: usize = 256;

/// The limits of [`serve`](crate::Worker::serve), and those that the [router](crate::Worker::router) enforces under any server:
/// set by [`WorkerBuilder::limits`](crate::WorkerBuilder::limits).
///
/// | | default | over the limit |
/// |---|---|---|
/// | [`connections`](Self::connections) | half of the files that the process may open, 1024 at most | new ones wait, and the one that has been silent longest is closed for them |
/// | [`head`](Self::head) | 10 s | a connection that has not sent all headers of its request by then is closed |
/// | [`body`](Self::body) | 30 s | a delivery whose body has not arrived by then gets 408 |
/// | [`idle`](Self::idle) | 75 s | a connection without a request, or whose client does not read the response, is closed |
/// | [`waiting`](Self::waiting) | half of the connections, 256 at most | further `sync` and `stream` deliveries, and requests that wait for a result, get 503 before anything is done for them |
///
/// `body` and `waiting` apply to the router; the others to `serve` and [`serve_with`](crate::Worker::serve_with), since
/// another server has its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// use belts::http::Limits;
/// use std::time::Duration;
///
/// let limits = Limits::new().connections(200).body(Duration::from_secs(5));
/// let worker = belts::Worker::builder().store_url("memory:").publish_only().limits(limits).build().await?;
/// # drop(worker);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    connections: Option<usize>,
    waiting: Option<usize>,
    pub(crate) head: Duration,
    pub(crate) body: Duration,
    pub(crate) idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            waiting: None,
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
        }
    }
}

impl Limits {
    /// The default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The most connections at once.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    /// The most requests at once that wait for runs to end: in the modes `sync` and `stream`, and for a result.
    #[must_use]
    pub fn waiting(mut self, requests: usize) -> Self {
        self.waiting = Some(requests);
        self
    }

    /// How long the headers of a request may take, from their first byte or from the start of the connection.
    #[must_use]
    pub fn head(mut self, time: Duration) -> Self {
        self.head = time;
        self
    }

    /// How long the body of a delivery may take.
    #[must_use]
    pub fn body(mut self, time: Duration) -> Self {
        self.body = time;
        self
    }

    /// How long a connection may be open without a request, or with an unread response.
    #[must_use]
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    pub(crate) fn most_connections(&self) -> usize {
        self.connections
            .unwrap_or_else(|| (open_files() / 2).clamp(1, CONNECTIONS))
    }

    pub(crate) fn most_waiting(&self) -> usize {
        self.waiting
            .unwrap_or_else(|| (self.most_connections() / 2).clamp(1, WAITING))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = if self.connections == Some(0) {
            "`connections` must be at least 1"
        } else if self.connections.is_some_and(|most| most > MOST_PERMITS)
            || self.waiting.is_some_and(|most| most > MOST_PERMITS)
        {
            "`connections` and `waiting` are larger than any machine can serve"
        } else if self.head.is_zero() || self.body.is_zero() || self.idle.is_zero() {
            "the timeouts of the limits must be longer than zero"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Config, wrong))
    }
}

const MOST_PERMITS: usize = tokio::sync::Semaphore::MAX_PERMITS;

/// How many files and connections this process may have open.
fn open_files() -> usize {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        // No limit at all is `None`.
        limit.current.map_or(2 * CONNECTIONS, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        })
    }
    #[cfg(not(unix))]
    OPEN_FILES
}
