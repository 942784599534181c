//! The dispatcher on Amazon SQS: a queue delivers events to whichever worker polls it first.
//!
//! Workers receive messages by long polling, keep them hidden from others while they make them durable, and then delete them.
//! `docs/sqs.md` explains how to create the queue, which permissions belts needs, and what happens to unreadable messages.

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
pub(crate) use url::read;

use aside::Aside;
use client::Link;
use fault::Fault;
use flight::Flight;
use lanes::Lanes;
use limits::MAX_DELAY;
use queue::Queue;

/// A dispatcher on an SQS queue, standard or FIFO. Clones are the same dispatcher.
///
/// A standard queue delays a message for up to 15 minutes; the worker's store keeps the rest of a longer delay. A
/// FIFO queue has no delays. It keeps the order of each group, which is [`SqsOptions::group`], or else the
/// event's correlation key, or else the event's type; belts starts runs in this order, and they proceed concurrently.
///
/// A message that no worker can read goes to the queue's dead-letter queue. [The guide](crate::guide::sqs) describes what happens
/// without one, and which permissions belts needs.
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
    /// How long a delivery is hidden from other receivers, in whole seconds.
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
