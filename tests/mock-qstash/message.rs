//! A message and where it stands.

use axum::body::Bytes;
use tokio::time::Instant;

use super::{options::Options, words::Words};

/// A message that the mock took.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Message {
    /// `Upstash-Message-Id`.
    pub id: String,
    /// The destination as it was published.
    pub url: String,
    /// The body.
    pub body: Bytes,
    /// What the publisher asked for.
    pub options: Options,
    /// The queue it was put into.
    pub queue: Option<String>,
    /// The URL group it was published to.
    pub group: Option<String>,
    /// The name of the group's endpoint.
    pub endpoint: Option<String>,
    /// Of a callback: the message it tells of.
    pub source: Option<String>,
    /// Who published it.
    pub caller_ip: String,
    /// When it was published, in milliseconds since 1970.
    pub created_at: u64,
    /// When it may be delivered, in milliseconds since 1970.
    pub not_before: u64,
    /// How often it was retried.
    pub retried: u32,
    /// How it stands.
    pub state: State,
    pub(crate) given: Words,
    pub(crate) place: Place,
    /// When the next attempt is due.
    pub(crate) due: Instant,
    pub(crate) cancelling: bool,
    /// Callbacks of it that are not at an end; its queue waits for them.
    pub(crate) open_callbacks: u32,
}

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It waits for its time, its queue, its flow control or a free place.
    Waiting,
    /// It is being delivered.
    Active,
    /// A destination has it.
    Delivered,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether nothing more will happen to it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Cancelled)
    }
}

/// For what a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Queue,
    Timer,
    Flow,
    Ready,
    Active,
    Ended,
}
