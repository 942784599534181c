//! The settings with which a store is opened.

use std::{fmt, time::Duration};

use super::link::RETRY_FOR;

/// Settings of a [`Redis`](crate::store::Redis) store; see [`Redis::builder`](crate::store::Redis::builder).
#[derive(Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct RedisBuilder {
    pub(super) url: String,
    pub(super) key_prefix: String,
    pub(super) ttl: Option<Duration>,
    pub(super) retry_for: Duration,
}

impl RedisBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            key_prefix: "belts".to_owned(),
            ttl: None,
            retry_for: RETRY_FOR,
        }
    }

    /// What the keys of this store begin with; `belts` where not said. Stores with different prefixes share nothing.
    pub fn key_prefix(mut self, name: impl Into<String>) -> Self {
        self.key_prefix = name.into();
        self
    }

    /// How long Redis keeps a run after it has finished, with its journal and event; where not said, until it is
    /// purged. An event whose id comes again after that time is a new event.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// For how long a publish, or whatever else is asked of the store, is sent again while the server is away, before it is an
    /// error; 10 s where not said.
    ///
    /// A worker tries again whatever this says; it is for those who wait for an answer, such as a request that publishes.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("RedisBuilder")
            .field("key_prefix", &self.key_prefix)
            .field("ttl", &self.ttl)
            .field("retry_for", &self.retry_for)
            .finish_non_exhaustive()
    }
}
