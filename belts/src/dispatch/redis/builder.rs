//! Opening a dispatcher: its settings, and what may be wrong with them.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{Inner, Keys, Redis, rounds::Rounds, script};
use crate::{
    error::{Error, ErrorKind, Result},
    redis::{
        client::{checked_name, client},
        error::{Fault, Part},
        link::{Link, RETRY_FOR},
        reply::Row,
        server,
    },
};

/// Settings of a [`Redis`] dispatcher; see [`Redis::builder`].
#[derive(Clone)]
#[must_use = "nothing is opened until `open` is awaited"]
pub struct RedisBuilder {
    url: String,
    key_prefix: String,
    stream: String,
    group: String,
    visibility: Duration,
    dead_letters: usize,
    retry_for: Duration,
}

impl Redis {
    /// Opens the dispatcher at `redis://[user][:password@]host[:port][/database]`; `rediss://` is the same with TLS.
    ///
    /// # Errors
    /// As [`RedisBuilder::open`].
    pub async fn open(url: impl Into<String>) -> Result<Self> {
        Self::builder(url).open().await
    }

    /// Opens a dispatcher with other settings than the usual ones.
    ///
    /// ```no_run
    /// # async fn open() -> belts::Result<()> {
    /// use belts::dispatch::Redis;
    /// use std::time::Duration;
    /// let dispatcher = Redis::builder("redis://127.0.0.1:6379")
    ///     .stream("orders")
    ///     .group("billing")
    ///     .visibility(Duration::from_secs(60))
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
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            key_prefix: "belts".to_owned(),
            stream: "messages".to_owned(),
            group: "belts".to_owned(),
            visibility: Duration::from_secs(30),
            dead_letters: 10_000,
            retry_for: RETRY_FOR,
        }
    }

    /// What the keys of this dispatcher begin with; `belts` where not said. A [store](crate::store::Redis) on the same
    /// server may have the same.
    pub fn key_prefix(mut self, name: impl Into<String>) -> Self {
        self.key_prefix = name.into();
        self
    }

    /// The name of the stream; `messages` where not said, whose key is `{belts}:stream:messages`.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = name.into();
        self
    }

    /// The group of receivers that share the messages; `belts` where not said. It is made where it is missing, and gets
    /// all that the stream holds then.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = name.into();
        self
    }

    /// How long a message belongs to its receiver alone before others are given it; 30 seconds where not said. A worker
    /// prolongs it for as long as it needs the message, so it says how soon a dead worker is noticed.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility;
        self
    }

    /// How many messages are kept of those that were put aside; 10,000 where not said. The oldest go first.
    pub fn dead_letters(mut self, most: usize) -> Self {
        self.dead_letters = most;
        self
    }

    /// For how long a publish is sent again while the server is away, before it is an error; 10 s where not said.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// Connects, and makes sure that the server can keep messages.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the URL or a setting cannot be used, the server refuses the password,
    /// the database or the user's rights, it is older than 6.2, a read-only replica, would evict messages when its memory is
    /// full, or has something else under a key of this dispatcher. Of kind [`Dispatcher`](crate::ErrorKind::Dispatcher):
    /// anything that may pass, such as a server that cannot be reached.
    pub async fn open(self) -> Result<Redis> {
        let keys = self.checked_keys()?;
        let client = client(&self.url, Part::Dispatcher)?;
        let link = Link::new(client.clone(), Part::Dispatcher, self.retry_for);
        let about = server::check(&link, script::all()).await?;
        let redis = Redis {
            inner: Arc::new(Inner {
                link,
                client,
                keys,
                group: self.group,
                consumer: format!("{}-{:016x}", std::process::id(), fastrand::u64(..)),
                visibility: self.visibility,
                dead_letters: self.dead_letters,
                rounds: Mutex::new(Rounds::new(self.visibility)),
                waiting: Mutex::default(),
            }),
        };
        redis.check_keys().await?;
        about.warn(&redis.inner.link).await;
        Ok(redis)
    }

    fn checked_keys(&self) -> Result<Keys> {
        let prefix = checked_name("the key prefix of the Redis dispatcher", &self.key_prefix)?;
        let stream = checked_name("the stream of the Redis dispatcher", &self.stream)?;
        checked_name("the group of the Redis dispatcher", &self.group)?;
        if self.visibility.as_millis() == 0 {
            return Err(config(
                "the visibility of the Redis dispatcher must be at least a millisecond".to_owned(),
            ));
        }
        Ok(Keys::new(prefix, stream))
    }
}

impl Redis {
    /// Looks whether the keys are those of a dispatcher.
    async fn check_keys(&self) -> Result<()> {
        let link = &self.inner.link;
        let answer = match self.run(|| self.call(&script::OPEN)).await {
            Ok(answer) => answer,
            Err(Fault::Redis(error)) => return Err(server::refused(error, "EVALSHA", link)),
            Err(fault) => return Err(link.opening_error(fault)),
        };
        let read = || {
            let mut row = Row::of(answer)?;
            if row.is_empty() {
                return Ok(None);
            }
            Ok(Some((row.text()?, row.text()?)))
        };
        match read().map_err(|fault| self.error(fault))? {
            None => Ok(()),
            Some((key, found)) => Err(config(format!(
                "Redis at {} has a {found} of another program under the key `{key}`: set another `stream` or `key_prefix`",
                link.address()
            ))),
        }
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisBuilder")
            .field("key_prefix", &self.key_prefix)
            .field("stream", &self.stream)
            .field("group", &self.group)
            .field("visibility", &self.visibility)
            .field("dead_letters", &self.dead_letters)
            .field("retry_for", &self.retry_for)
            .finish_non_exhaustive()
    }
}

fn config(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}
