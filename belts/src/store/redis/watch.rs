//! Hears of the writes of other processes on a connection of its own, and wakes the workers of this one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use redis::{Client, RedisError, RedisResult};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::link::{BACKOFF, CONNECT, pause};
use crate::{plain::Clean, store::parts::Wake};

/// How long it may be silent before the connection is tried.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a connection must have lasted, so that the next attempt comes soon when it breaks.
const STEADY: Duration = Duration::from_secs(5);

/// The task that listens, once somebody waits for it. It ends with this, and does not keep the store alive.
pub(super) struct Watch {
    listener: Listener,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone)]
struct Listener {
    client: Client,
    channel: String,
    /// What the wake-ups of our own say.
    own: String,
    wake: Arc<Wake>,
}

impl Watch {
    pub(super) fn new(client: Client, keys: &str, own: &str, wake: &Arc<Wake>) -> Self {
        let listener = Listener {
            client,
            channel: format!("{keys}wake"),
            own: own.to_owned(),
            wake: Arc::clone(wake),
        };
        Self {
            listener,
            task: Mutex::default(),
        }
    }

    /// Makes sure that somebody listens. A runtime that has ended has taken its task along.
    pub(super) fn begin(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            *task = Some(tokio::spawn(self.listener.clone().listen_forever()));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl Listener {
    async fn listen_forever(self) {
        let mut failed = 0;
        loop {
            let mut listened_since = None;
            if let Err(error) = self.listen(&mut listened_since).await {
                // A server that ends every connection at once is not asked again and again without a pause.
                let has_listened =
                    listened_since.is_some_and(|since: Instant| since.elapsed() > STEADY);
                if has_listened {
                    failed = 0;
                }
                failed += 1;
                if failed == 1 {
                    tracing::warn!(error = %Clean(&error), "lost the connection that announces new runs; until it is restored, \
                     runs may start later");
                }
            }
            pause(BACKOFF.ceiling(failed)).await;
        }
    }

    async fn listen(&self, listened_since: &mut Option<Instant>) -> RedisResult<()> {
        let connection = within(self.client.get_async_pubsub()).await?;
        let (mut sink, mut messages) = connection.split();
        within(sink.subscribe(&self.channel)).await?;
        *listened_since = Some(Instant::now());
        // What was published while nobody listened.
        self.wake.wake();
        loop {
            match timeout(SILENCE, messages.next()).await {
                Ok(Some(message)) if message.get_payload_bytes() == self.own.as_bytes() => {}
                Ok(Some(_)) => self.wake.wake(),
                Ok(None) => return Err(closed()),
                Err(_) => within(sink.ping::<redis::Value>()).await.map(drop)?,
            }
        }
    }
}

/// Gives up after the time in which a server must have answered.
async fn within<T>(answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    timeout(CONNECT, answer).await.map_err(|_| late())?
}

fn closed() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}
