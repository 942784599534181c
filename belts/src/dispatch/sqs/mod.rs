//! The dispatcher on Amazon SQS: a queue carries events to whichever worker asks it first.
//!
//! Workers take messages by long polls, keep them invisible to others while they make them durable, and delete them then.
//! `docs/sqs.md` says which queue to make, which rights belts needs, and what becomes of messages that nobody can read.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Capabilities, Delivery, Dispatcher, Message, Nack, Receipt, Sent};
use crate::error::Result;

mod aside;
mod body;
mod builder;
mod client;
mod fault;
mod flight;
mod lanes;
mod limits;
mod options;
mod place;
mod put_aside;
mod queue;
mod receive;
mod send;
mod settle;
mod url;

pub use builder::SqsBuilder;
pub use options::SqsOptions;
pub(crate) use url::{check, open};

use aside::Aside;
use client::Link;
use fault::Fault;
use flight::Flight;
use lanes::Lanes;
use limits::MAX_DELAY;
use queue::Queue;

/// A dispatcher on an SQS queue, standard or FIFO. Clones are the same dispatcher.
///
/// A standard queue holds a message back for up to 15 minutes; the store of the worker holds the rest of a longer delay. A
/// FIFO queue holds nothing back. It keeps the order of each group, which is that of [`SqsOptions::group`], or else the
/// event's correlation key, or else the event's type; belts starts runs in this order, and they go on side by side.
///
/// A message that no worker can read goes to the queue's dead-letter queue. [The guide](crate::guide::sqs) says what becomes of
/// it where there is none, and which rights belts needs.
///
/// ```no_run
/// # async fn open() -> belts::Result<()> {
/// use belts::dispatch::{Dispatcher, Sqs};
/// let queue = Sqs::open("https://sqs.eu-west-1.amazonaws.com/123456789012/orders").await?;
/// assert!(queue.capabilities().durable);
/// let worker = belts::Worker::builder()
///     .store_url("sqlite://belts.db")
///     .dispatcher(queue)
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Sqs {
    inner: Arc<Inner>,
}

struct Inner {
    link: Link,
    queue: Queue,
    /// How long a delivery belongs to its receiver, in whole seconds.
    visibility: Duration,
    wait: Duration,
    aside: Aside,
    flight: Flight,
    lanes: Lanes,
}

impl Sqs {
    fn error(&self, fault: &Fault) -> crate::Error {
        fault.to_error(&self.inner.queue.name)
    }
}

impl fmt::Debug for Sqs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the SQS queue {}", self.inner.link.url)
    }
}

#[async_trait]
impl Dispatcher for Sqs {
    fn capabilities(&self) -> Capabilities {
        let Inner {
            queue, visibility, ..
        } = &*self.inner;
        let max_delay = if queue.fifo {
            Duration::ZERO
        } else {
            MAX_DELAY
        };
        Capabilities::NONE
            .durable()
            .pulls(*visibility)
            .max_delay(max_delay)
            .max_bytes(queue.max_bytes)
    }

    async fn send(&self, batch: Vec<Message>) -> Result<Vec<Result<Sent>>> {
        self.send_batch(batch).await
    }

    async fn receive(&self, most: usize) -> Result<Vec<Delivery>> {
        self.receive_some(most).await
    }

    async fn extend(&self, receipts: &[Receipt]) -> Result<()> {
        self.keep(receipts).await
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<()> {
        self.delete(&receipts).await
    }

    async fn nack(&self, refused: Vec<Nack>) -> Result<()> {
        self.give_back(refused).await
    }
}
