//! The dispatcher on Redis: a stream with a consumer group, and next to it delayed messages and those set aside.
//!
//! Whatever touches more than one key is one Lua script (`lua/`), which Redis runs atomically. The keys are
//! `{<prefix>}:stream:<stream>`, `…:delayed:…`, `…:bodies:…` and `…:dead:…`; their common hash tag keeps them together.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use redis::{Client, aio::MultiplexedConnection};

use super::{Capabilities, Delivery, Dispatcher, Message, Nack, Receipt, Sent};
use crate::{
    error::Result,
    redis::{error::Fault, link::Link},
};

mod builder;
mod receive;
mod rounds;
mod script;
mod send;
mod settle;
mod taken;

pub use builder::RedisBuilder;
use rounds::Rounds;
use script::{Call, Script};

/// The longest body: Redis accepts no longer values, unless `proto-max-bulk-len` was changed.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// Carries messages on a stream of Redis, version 6.2 or later, or of a compatible server. Clones are the same dispatcher.
///
/// Workers receive as consumers of one group, so each message goes to one of them; messages of a worker that
/// dies go to others after the visibility timeout. Programs that each need every message use different
/// groups. A message is deleted when every group has acknowledged it, so the stream contains only unfinished work and
/// needs no trimming: nothing is ever dropped unread. A group that nobody receives for any more makes it grow; remove it
/// with `XGROUP DESTROY`.
///
/// Delayed messages wait next to the stream until they are due on the server's clock, and are delivered within about a second.
/// A message that no retry can help is set aside, with the reason, in its own stream, `{belts}:dead:messages`, which keeps the
/// [latest](RedisBuilder::dead_letters).
///
/// Messages are as durable as the server is configured to be: with `appendonly yes` a crash of the server loses at most
/// the last second, with `appendfsync always` nothing; without an append-only file, about which
/// [`open`](RedisBuilder::open) warns, everything since the last snapshot. [The store's table](crate::store#persistence) has
/// more.
///
/// A message that is sent twice is delivered twice, and starts each function once: the worker recognizes the event by its id.
///
/// Other programs may send too: `XADD {belts}:stream:messages * body '{"event":{"type":"order-created"}}'`.
///
/// ```no_run
/// # async fn build(store: belts::store::Memory) -> belts::Result<()> {
/// use belts::{Worker, dispatch::Redis};
///
/// let dispatcher = Redis::open("redis://127.0.0.1:6379").await?;
/// let worker = Worker::builder().store(store).dispatcher(dispatcher).build().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    /// Opens the connections on which receivers wait.
    client: Client,
    keys: Keys,
    group: String,
    /// The unique name of this receiver.
    consumer: String,
    visibility: Duration,
    dead_letters: usize,
    rounds: Mutex<Rounds>,
    /// Idle connections.
    waiting: Mutex<Vec<MultiplexedConnection>>,
}

/// The keys on the server.
struct Keys {
    stream: String,
    delayed: String,
    bodies: String,
    dead: String,
}

impl Keys {
    fn new(prefix: &str, stream: &str) -> Self {
        let key = |kind| format!("{{{prefix}}}:{kind}:{stream}");
        Self {
            stream: key("stream"),
            delayed: key("delayed"),
            bodies: key("bodies"),
            dead: key("dead"),
        }
    }

    fn all(&self) -> [&str; 4] {
        [&self.stream, &self.delayed, &self.bodies, &self.dead]
    }
}

impl Redis {
    /// A call of a script with the keys of this dispatcher.
    fn call(&self, script: &'static Script) -> Call {
        Call::with_keys(script, &self.inner.keys.all())
    }

    /// Runs a script, and repeats it if its outcome is unknown.
    async fn run(&self, build: impl Fn() -> Call + Send + Sync) -> Result<redis::Value, Fault> {
        self.inner.link.run(|_| build()).await
    }

    fn error(&self, fault: Fault) -> crate::Error {
        self.inner.link.error(fault)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            link, keys, group, ..
        } = &*self.inner;
        let (stream, address) = (&keys.stream, link.address());
        write!(f, "Redis stream {stream} at {address}, group {group}")
    }
}

#[async_trait]
impl Dispatcher for Redis {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
            .durable()
            .pulls(self.inner.visibility)
            .max_delay(Duration::MAX)
            .max_bytes(MOST_BYTES)
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        self.send_messages(&batch).await
    }

    async fn receive(&self, most: usize) -> Result<Vec<Delivery>> {
        self.receive_messages(most).await
    }

    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        self.extend_held(receipts).await
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        self.acknowledge(&receipts).await
    }

    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        self.give_back(&refused).await
    }
}
