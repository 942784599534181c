//! What a test sees of a mock's work.

use std::{fmt, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
};

use super::message::Message;

/// A request that reached the mock's API.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its target as it stood on the wire, with the query.
    pub target: String,
    /// Its headers, the token too.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The status of the mock's answer.
    pub status: u16,
}

/// One request that the mock made to a destination.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delivery {
    /// The message it delivered.
    pub message_id: String,
    /// Where the message was addressed.
    pub url: String,
    /// The method.
    pub method: Method,
    /// How often the message was retried before.
    pub retried: u32,
    /// The headers that were sent.
    pub headers: HeaderMap,
    /// The body that was sent.
    pub body: Bytes,
    /// When it was sent, since the mock's start.
    pub sent_at: Duration,
    /// How long the answer took.
    pub took: Duration,
    /// What the destination answered, or why there is no answer.
    pub answer: Result<Answer, String>,
    /// A fault took the answer away: the mock goes on as if there had been none.
    pub lost: bool,
}

impl Delivery {
    /// A header of the request, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The status of the answer, 0 where there is none.
    pub fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// What the mock goes by.
    pub(crate) fn counted(&self) -> Result<&Answer, String> {
        if self.lost {
            return Err("the answer was lost".to_owned());
        }
        self.answer.as_ref().map_err(Clone::clone)
    }
}

/// What a destination answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, cut after a mebibyte.
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A message that failed for good.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The id to get, delete or retry it by.
    pub id: String,
    /// The message.
    pub message: Message,
    /// The last answer, or why there was none.
    pub answer: Result<Answer, String>,
}

/// How many messages there are of each kind, callbacks among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// All that were taken.
    pub messages: usize,
    /// Those that wait or are under way.
    pub pending: usize,
    /// Those that a destination has.
    pub delivered: usize,
    /// Those that failed for good.
    pub failed: usize,
    /// Those that were cancelled.
    pub cancelled: usize,
    /// Those that were published again and left out.
    pub duplicates: usize,
    /// Requests to destinations that were answered or given up.
    pub deliveries: usize,
}

/// The mock did not come to rest in time.
#[derive(Debug)]
#[non_exhaustive]
pub struct NotIdle {
    /// What it had done until then.
    pub counts: Counts,
    /// The first messages that still wait or are under way.
    pub pending: Vec<Message>,
}

impl fmt::Display for NotIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages wait or are under way", self.counts.pending)?;
        let some = self.pending.iter().map(|m| {
            format!(
                "{} to {} ({:?}, retried {} times)",
                m.id, m.url, m.state, m.retried
            )
        });
        write!(f, ": {}", some.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for NotIdle {}
