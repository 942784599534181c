//! Opening a dispatcher: its settings and their validation.

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

    /// A builder with the default settings.
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

    /// The prefix of this dispatcher's keys; default `belts`. A [store](crate::store::Redis) on the same
    /// server may use the same one.
    pub fn key_prefix(mut self, name: impl Into<String>) -> Self {
        self.key_prefix = name.into();
        self
    }

    /// The name of the stream; default `messages`, whose key is `{belts}:stream:messages`.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = name.into();
        self
    }

    /// The group of receivers that share the messages; default `belts`. It is created if it is missing, and then gets
    /// everything in the stream.
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.group = name.into();
        self
    }

    /// How long a delivery is hidden from other receivers; default 30 seconds. A worker extends this as long as it
    /// needs the message, so it determines how soon a dead worker is noticed.
    pub fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = visibility;
        self
    }

    /// How many of the messages that were set aside are kept; default 10,000. The oldest are dropped first.
    pub fn dead_letters(mut self, most: usize) -> Self {
        self.dead_letters = most;
        self
    }

    /// How long a publish is retried while the server is down, before it fails; default 10 s.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// Connects, and checks that the server can keep messages.
    ///
    /// # Errors
    /// Of kind [`Config`](crate::ErrorKind::Config): the URL or a setting is invalid, the server rejects the password,
    /// the database or the user's permissions, is older than 6.2, is a read-only replica, would evict messages when its memory is
    /// full, or has something else under a key of this dispatcher. Of kind [`Dispatcher`](crate::ErrorKind::Dispatcher):
    /// anything temporary, such as a server that cannot be reached.
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
    /// Checks that the keys are those of a dispatcher.
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
                "Redis at {} has another program's {found} under the key `{key}`: set another `stream` or `key_prefix`",
                link.address()
            ))),
        }
    }
}

impl fmt::Debug for RedisBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
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
