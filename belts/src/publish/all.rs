//! Publishing many events at once.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use super::{
    one::{Check, Publish, Ready},
    published::Published,
};
use crate::{dispatch::MessageOptions, error::Result, store::NewEvent, worker::Worker};

/// The most events of one write.
const MOST: usize = 1_000;

/// Publishes many events at once: on a store in one write, through QStash or SQS in as few requests as they allow.
///
/// Each event has its own options and its own outcome; the outcomes stand in the order of the events. One that is refused keeps no
/// other from being published.
///
/// ```rust,standalone_crate
/// use belts::{Event, Worker, publish_all, store::Memory};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Invited { email: String }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> belts::Result<()> {
/// # let worker = Worker::builder().store(Memory::new()).build().await?;
/// let guests = ["ada@lovelace.uk", "grace@hopper.us"];
/// let invitations = guests.map(|email| publish_invited(Invited { email: email.into() }).idempotency_key(email));
/// for outcome in publish_all(invitations).via(&worker).await {
///     println!("published as {}", outcome?.event_id);
/// }
/// # Ok(()) }
/// ```
///
/// More than 1,000 events are several writes, one after the other. In a step, where the outcome has to be recorded, use
/// [`all`](PublishAll::all): `step!("invite", publish_all(invitations).all()).await?`. If one fails, the step is retried, and those that
/// are there already are recognized.
pub fn publish_all(events: impl IntoIterator<Item = Publish>) -> PublishAll {
    PublishAll {
        events: events.into_iter().collect(),
        worker: None,
    }
}

/// Events about to be published together: await it. See [`publish_all`].
#[must_use = "nothing is published until this is awaited: add `.await`"]
#[derive(Debug)]
pub struct PublishAll {
    events: Vec<Publish>,
    worker: Option<Worker>,
}

/// Events that leave by one worker, with their places.
struct Batch {
    worker: Worker,
    places: Vec<usize>,
    events: Vec<(NewEvent, MessageOptions)>,
    checks: Vec<Check>,
}

impl PublishAll {
    /// Publishes through this worker instead of the installed one. An event that names a worker goes by that one.
    pub fn via(mut self, worker: &Worker) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    /// Publishes them, with an error if any of them failed: the first one's. The others are published all the same.
    ///
    /// # Errors
    /// As for each event.
    pub async fn all(self) -> Result<Vec<Published>> {
        self.await.into_iter().collect()
    }

    async fn send(self) -> Vec<Result<Published>> {
        let mut outcomes: Vec<Option<Result<Published>>> = Vec::with_capacity(self.events.len());
        let mut batches: Vec<Batch> = Vec::new();
        for (place, event) in self.events.into_iter().enumerate() {
            outcomes.push(match event.ready(self.worker.clone()).await {
                Ok(ready) => {
                    add(&mut batches, place, ready);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        for batch in batches {
            let carried = batch.worker.dispatcher().is_some();
            let sent = batch.worker.shared().send_all(batch.events).await;
            for ((place, check), sent) in batch.places.into_iter().zip(batch.checks).zip(sent) {
                outcomes[place] =
                    Some(sent.and_then(|published| check.outcome(published, carried)));
            }
        }
        let outcomes = outcomes.into_iter().flatten();
        outcomes.collect()
    }
}

/// Adds an event to the batch of its worker that still has room.
fn add(batches: &mut Vec<Batch>, place: usize, ready: Ready) {
    let is_of = |batch: &&mut Batch| {
        Arc::ptr_eq(batch.worker.shared(), ready.worker.shared()) && batch.events.len() < MOST
    };
    let batch = match batches.iter_mut().rev().find(is_of) {
        Some(batch) => batch,
        None => {
            batches.push(Batch {
                worker: ready.worker,
                places: Vec::new(),
                events: Vec::new(),
                checks: Vec::new(),
            });
            batches.last_mut().expect("one was added")
        }
    };
    batch.places.push(place);
    batch.events.push((ready.event, ready.options));
    batch.checks.push(ready.check);
}

impl IntoFuture for PublishAll {
    type Output = Vec<Result<Published>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
