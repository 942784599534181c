//! Opening a store, and what may be wrong with its settings.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{
    Inner, Redis, builder::RedisBuilder, error::Part, link::Link, server, tell::Teller,
    watch::Watch,
};
use crate::{
    error::{Error, ErrorKind, Result},
    redis::client::{checked_name, client},
    store::parts::Wake,
};

impl Redis {
    /// Opens the store at `redis://[user][:password@]host[:port][/database]`; `rediss://` is the same with TLS.
    ///
    /// # Errors
    /// As [`RedisBuilder::open`].
    pub async fn open(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).open().await
    }

    /// Opens a store with other settings than the usual ones.
    ///
    /// ```no_run
    /// # async fn open() -> belts::Result<()> {
    /// use belts::store::Redis;
    /// use std::time::Duration;
    /// let store = Redis::builder("redis://127.0.0.1:6379")
    ///     .key_prefix("shop")
    ///     .ttl(Duration::from_secs(7 * 24 * 60 * 60))
    ///     .open()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: impl Into<String>) -> RedisBuilder {
        RedisBuilder::new(url.into())
    }
}

impl RedisBuilder {
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
        let link = Arc::new(Link::new(client.clone(), Part::Store, self.retry_for));
        let lease_link = Link::new(client.clone(), Part::Store, self.retry_for);
        server::check(&link, &keys).await?;
        let wake = Arc::new(Wake::default());
        let sender = format!("{:016x}", fastrand::u64(..));
        let watch = Watch::new(client, &keys, &sender, &wake);
        let inner = Inner {
            teller: Arc::new(Teller::new(Arc::clone(&link), &keys, &sender)),
            link,
            lease_link,
            keys,
            ttl,
            sender,
            round: AtomicU64::new(0),
            wake,
            watch,
        };
        Ok(Redis {
            inner: Arc::new(inner),
        })
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
