//! Publishing many events at once.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use super::{
    one::{Check, Publish, Ready, Subscribers},
    published::Published,
};
use crate::{
    dispatch::MessageOptions,
    error::{Error, Result},
    store::NewEvent,
    worker::Worker,
};

/// The most events of one write, and the most bytes, but for a single event.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;

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
/// More than 1,000 events, or 8 MiB, take several writes, one after the other. If the store or the dispatcher fails in one of them,
/// the events after it are not published either, and their outcomes say so. In a step, where the outcome has to be recorded, build the
/// events inside the step and call [`all`](PublishAll::all): `step!("invite", publish_all(guests.iter().map(invitation)).all()).await?`.
/// If one fails, the step is retried, and events that are already there are recognized.
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
    pub(super) events: Vec<Publish>,
    pub(super) worker: Option<Worker>,
}

/// Events that leave by one worker, with their places.
struct Batch {
    worker: Worker,
    places: Vec<usize>,
    bytes: usize,
    events: Vec<(NewEvent, MessageOptions)>,
    checks: Vec<Check>,
}

impl PublishAll {
    /// Publishes through this worker instead of the installed one. An event that names a worker goes by that one.
    pub fn via(mut self, worker: &Worker) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    /// Publishes them all, and returns the first error if any failed. An event that is refused keeps no other from being published.
    ///
    /// # Errors
    /// As for each event.
    pub async fn all(self) -> Result<Vec<Published>> {
        self.await.into_iter().collect()
    }

    async fn send(self) -> Vec<Result<Published>> {
        let mut outcomes: Vec<Option<Result<Published>>> = Vec::with_capacity(self.events.len());
        let mut batches: Vec<Batch> = Vec::new();
        let (mut subscribers, mut warned) = (Subscribers::default(), false);
        for (place, event) in self.events.into_iter().enumerate() {
            let ready = event.ready(self.worker.clone(), &mut subscribers);
            outcomes.push(match ready.await {
                Ok(ready) if ready.rehearsed().is_some() => ready.rehearsed().map(Ok),
                Ok(ready) => {
                    warned = warned || ready.warn_outside_step();
                    add(&mut batches, place, ready);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        let mut down: Option<(Worker, Error)> = None;
        for batch in batches {
            let carried = batch.worker.dispatcher().is_some();
            let failed = down
                .as_ref()
                .filter(|(worker, _)| is_same(worker, &batch.worker));
            let sent = match failed {
                Some((_, error)) => batch.places.iter().map(|_| Err(error.same())).collect(),
                None => batch.worker.shared().send_all(batch.events).await,
            };
            // The others would wait for it in vain, one after the other; and if it came back, they would overtake these.
            if down.is_none()
                && let Some(Err(error)) = sent.last()
                && error.is_service_failure()
            {
                down = Some((batch.worker.clone(), error.same()));
            }
            for ((place, check), sent) in batch.places.into_iter().zip(batch.checks).zip(sent) {
                outcomes[place] =
                    Some(sent.and_then(|published| check.outcome(published, carried)));
            }
        }
        let outcomes = outcomes.into_iter().flatten();
        outcomes.collect()
    }
}

pub(super) fn is_same(one: &Worker, other: &Worker) -> bool {
    Arc::ptr_eq(one.shared(), other.shared())
}

/// Adds an event to the last batch of its worker, if that still has room.
fn add(batches: &mut Vec<Batch>, place: usize, ready: Ready) {
    let bytes = ready.event.payload.len();
    let last = batches.iter_mut().rev();
    let mut last = last.filter(|batch| is_same(&batch.worker, &ready.worker));
    let has_room = |batch: &&mut Batch| {
        batch.events.len() < MOST && batch.bytes.saturating_add(bytes) <= MOST_BYTES
    };
    let batch = if let Some(batch) = last.next().filter(has_room) {
        batch
    } else {
        batches.push(Batch {
            worker: ready.worker,
            places: Vec::new(),
            bytes: 0,
            events: Vec::new(),
            checks: Vec::new(),
        });
        batches.last_mut().expect("one was added")
    };
    batch.places.push(place);
    batch.bytes += bytes;
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
