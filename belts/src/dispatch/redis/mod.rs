//! The dispatcher on Redis: a stream with a consumer group, and beside it what is delayed and what was put aside.
//!
//! Whatever looks at more than one thing is one Lua script (`lua/`), which Redis runs whole and alone. The keys are
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

/// The longest body: Redis takes no longer value, unless `proto-max-bulk-len` was set.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// Carries messages on a stream of Redis, version 6.2 or later, or of a server that speaks like it. Clones are the same.
///
/// Workers receive as consumers of one group, so that each message goes to one of them; what a worker leaves behind when
/// it dies, others are given once its visibility is over. Give programs that are each to have every message groups of
/// their own. A message is deleted when every group has acknowledged it, so the stream holds what is still to be done and
/// needs no trimming: nothing is ever cut off unread. A group that nobody receives for any more makes it grow; remove it
/// with `XGROUP DESTROY`.
///
/// What is delayed lies beside the stream until its time by the server's clock, and then comes within about a second.
/// What no try can help is put aside, with the reason, in a stream of its own, `{belts}:dead:messages`, which keeps the
/// [latest](RedisBuilder::dead_letters).
///
/// What was sent is as durable as the server's settings make it: with `appendonly yes` a crash of the server loses at most
/// its last second, with `appendfsync always` nothing; without an append-only file, of which
/// [`open`](RedisBuilder::open) warns, everything since the last snapshot. [The store's table](crate::store#persistence) says
/// more.
///
/// A message that is sent twice is carried twice, and starts each function once: the worker knows the event by its id.
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
    /// Makes the connections on which receivers wait.
    client: Client,
    keys: Keys,
    group: String,
    /// The name of this receiver; no other has it.
    consumer: String,
    visibility: Duration,
    dead_letters: usize,
    rounds: Mutex<Rounds>,
    /// Connections on which nobody waits now.
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

    /// Runs a script; where its outcome is unknown, again.
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
