//! Opening a store: its settings, and what may be wrong with them.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    Inner, Redis,
    error::Part,
    link::{Link, RETRY_FOR},
    server,
    tell::Teller,
    watch::Watch,
};
use crate::{
    error::{Error, ErrorKind, Result},
    redis::client::{checked_name, client},
    store::parts::Wake,
};

/// Settings of a [`Redis`] store; see [`Redis::builder`].
#[derive(Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct RedisBuilder {
    url: String,
    key_prefix: String,
    ttl: Option<Duration>,
    retry_for: Duration,
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

    /// Connects, and makes sure that the server can keep runs.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the URL cannot be read, the server refuses the password, the
    /// database or the user's rights, it is older than 6.2, a read-only replica, would evict runs when its memory is
    /// full, or holds data of a later version of belts. Of kind [`Store`](crate::ErrorKind::Store): anything that may
    /// pass, such as a server that cannot be reached.
    pub async fn open(self) -> Result<Redis> {
        let prefix = checked_name("the key prefix of the Redis store", &self.key_prefix)?;
        let keys = format!("{{{prefix}}}:");
        let ttl = match self.ttl {
            Some(ttl) => millis(ttl)?.to_string(),
            None => String::new(),
        };
        let client = client(&self.url, Part::Store)?;
        let link = Link::new(client.clone(), Part::Store, self.retry_for);
        let lease_link = Link::new(client.clone(), Part::Store, self.retry_for);
        server::check(&link, &keys).await?;
        let wake = Arc::new(Wake::default());
        let sender = format!("{:016x}", fastrand::u64(..));
        let watch = Watch::new(client, &keys, &sender, &wake);
        let inner = Inner {
            link,
            lease_link,
            keys,
            ttl,
            sender,
            round: AtomicU64::new(0),
            wake,
            teller: Teller::new(),
            watch,
        };
        Ok(Redis {
            inner: Arc::new(inner),
        })
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

fn millis(ttl: Duration) -> Result<u64> {
    // Redis counts no keys down from much further away.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    match u64::try_from(ttl.min(LONGEST).as_millis()) {
        Ok(millis) if millis > 0 => Ok(millis),
        _ => Err(config(
            "the `ttl` of the Redis store must be at least a millisecond".to_owned(),
        )),
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
