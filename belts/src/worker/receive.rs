//! Messages that came by a dispatcher: read, checked and made durable, then acknowledged.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{Execute, Shared, Worker};
use crate::{
    Backoff,
    dispatch::{Delivery, Nack, Receipt, SharedDispatcher, Verdict},
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    guard::catch_panic,
    plain::Clean,
    publish::stable_id,
    store::Subscription,
    wire,
};

/// The most messages that are made durable at once.
const BATCH: usize = 64;
/// How long a message waits that could not be made durable, by how often it came.
const PUT_OFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// How often an event may arrive that nobody listens for, while a worker that does may be on its way.
const PATIENCE: u32 = 10;
/// How long a worker rests after its dispatcher failed.
const REST: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));

/// What became of a delivery.
enum Fate {
    Durable,
    Refused(Nack),
}

impl Shared {
    /// Receives messages until the shutdown begins, where the dispatcher has to be asked for them.
    pub(crate) async fn receive_forever(self: &Arc<Self>) {
        let Some(dispatcher) = self
            .dispatcher
            .clone()
            .filter(|dispatcher| dispatcher.capabilities().pulls)
        else {
            return;
        };
        let mut failures = 0;
        while !self.is_draining() {
            let received = tokio::select! {
                received = catch_panic(dispatcher.receive(BATCH)) => received,
                () = self.shutdown.begun() => return,
            };
            match received {
                Ok(deliveries) => {
                    failures = 0;
                    self.take_in(&dispatcher, deliveries).await;
                }
                Err(error) => {
                    failures += 1;
                    tracing::error!(error = %error.report(), "cannot receive messages; trying again");
                    let pause = self.clock.now().after(REST.ceiling(failures));
                    tokio::select! {
                        () = self.clock.expire_at(pause) => {}
                        () = self.shutdown.begun() => {}
                    }
                }
            }
        }
    }

    /// Makes deliveries durable, all at once, and says so.
    async fn take_in(self: &Arc<Self>, dispatcher: &SharedDispatcher, deliveries: Vec<Delivery>) {
        if deliveries.is_empty() {
            return;
        }
        let receipts: Vec<Receipt> = deliveries
            .iter()
            .map(|delivery| delivery.receipt.clone())
            .collect();
        let taking = join_all(deliveries.iter().map(|delivery| self.take(delivery)));
        let fates = tokio::select! {
            fates = taking => fates,
            () = self.keep_visible(dispatcher, &receipts) => unreachable!("it goes on for ever"),
        };
        let (mut durable, mut refused) = (Vec::new(), Vec::new());
        for (receipt, fate) in receipts.into_iter().zip(fates) {
            match fate {
                Fate::Durable => durable.push(receipt),
                Fate::Refused(nack) => refused.push(nack),
            }
        }
        if !durable.is_empty()
            && let Err(error) = dispatcher.ack(durable).await
        {
            tracing::warn!(error = %error.report(), "cannot acknowledge messages; they will come again, and start nothing");
        }
        if !refused.is_empty()
            && let Err(error) = dispatcher.nack(refused).await
        {
            tracing::warn!(error = %error.report(), "cannot give messages back; they will come again");
        }
    }

    /// Keeps other receivers from being given what is taken in here, for as long as that takes.
    async fn keep_visible(&self, dispatcher: &SharedDispatcher, receipts: &[Receipt]) {
        let Some(visibility) = dispatcher.capabilities().visibility else {
            return std::future::pending().await;
        };
        loop {
            self.clock
                .expire_at(self.clock.now().after(visibility / 3))
                .await;
            if let Err(error) = dispatcher.extend(receipts).await {
                tracing::warn!(error = %error.report(), "cannot keep messages; others may be given them too");
            }
        }
    }

    async fn take(self: &Arc<Self>, delivery: &Delivery) -> Fate {
        let refused = match self.make_durable(delivery).await {
            Ok(()) => return Fate::Durable,
            Err(refused) => refused,
        };
        self.metrics.messages.refused();
        let (verdict, reason) = match refused {
            Refused::Misread(misread) => (Verdict::PutAside, misread.message),
            Refused::Failed(error) => {
                let nobody = matches!(
                    error.kind(),
                    ErrorKind::UnknownEvent | ErrorKind::UnknownFunction
                );
                let hopeless = !nobody && !error.is_retryable();
                let verdict = if hopeless || nobody && delivery.arrivals >= PATIENCE {
                    Verdict::PutAside
                } else {
                    Verdict::Later(PUT_OFF.ceiling(delivery.arrivals))
                };
                (verdict, error.report())
            }
        };
        match verdict {
            Verdict::PutAside => tracing::error!(
                message = %Clean(&delivery.message_id), reason, "a message cannot be received; it is put aside"
            ),
            Verdict::Later(pause) => tracing::warn!(
                message = %Clean(&delivery.message_id), ?pause, reason, "a message cannot be received now; it will come again"
            ),
        }
        Fate::Refused(Nack::new(delivery.receipt.clone(), verdict, reason))
    }

    async fn make_durable(self: &Arc<Self>, delivery: &Delivery) -> Result<(), Refused> {
        let (size, limit) = (delivery.body.len(), self.max_message_bytes());
        if size > limit {
            return Err(Refused::Failed(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the message has {size} bytes, over the limit of {limit}; raise `max_body_bytes`"
                ),
            )));
        }
        let body = wire::Body::read(&delivery.body)?;
        let Some(event) = body.event else {
            // The run is in the store, where the loop finds it.
            self.metrics.messages.taken(false);
            self.due.notify_one();
            return Ok(());
        };
        let worker = Worker::from_shared(Arc::clone(self));
        let foreign = stable_id(&["message", &delivery.message_id]);
        let mut execute = worker.receive(event, body.context, Some(foreign)).await?;
        execute.in_background = true;
        let started = execute.start().await?;
        self.metrics.messages.taken(started.duplicate);
        tracing::debug!(
            event = %started.event_id, runs = started.runs.len(), duplicate = started.duplicate, "received a message"
        );
        Ok(())
    }
}

/// Why a message is not durable.
enum Refused {
    Misread(wire::Misread),
    Failed(Error),
}

impl From<wire::Misread> for Refused {
    fn from(misread: wire::Misread) -> Self {
        Self::Misread(misread)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Worker {
    /// Checks a received event; what is left is to start its runs. `foreign` is its id where its publisher gave none.
    pub(crate) async fn receive(
        &self,
        event: wire::Event,
        context: wire::Context,
        foreign: Option<String>,
    ) -> Result<Execute> {
        let correlation_key = self
            .shared
            .check(&event, context.function_id.as_deref())
            .await?;
        let event = EncodedEvent {
            event_type: event.event_type,
            payload: event.payload,
            correlation_key,
        };
        let mut execute = Execute::new(self.clone(), Ok(event));
        execute.event_id = context.event_id.or(foreign);
        execute.due_at = context.timestamp;
        execute.retries = context.retries;
        execute.traceparent = context.traceparent;
        execute.function = context.function_id;
        execute.run_id = context.execution_id;
        execute.until = context.execution_target;
        Ok(execute)
    }
}

impl Shared {
    /// The event's correlation key, if somebody takes the event and it fits.
    async fn check(&self, event: &wire::Event, function: Option<&str>) -> Result<Option<Arc<str>>> {
        let event_type = &*event.event_type;
        match (function, function.map(|id| self.registry.get(id))) {
            (Some(id), Some(Some(function))) => {
                let types = function.def.events.iter().copied().flatten().copied();
                takes(id, &types.collect::<Vec<_>>(), event_type)?;
                return function.check(event_type, &event.payload);
            }
            (Some(id), _) => {
                let subscriptions = self.store.subscriptions().await?;
                let Some(function) = subscriptions
                    .iter()
                    .find(|function| *function.function_id == *id)
                else {
                    let known = list(subscriptions.iter().map(|function| &*function.function_id));
                    return Err(Error::new(
                        ErrorKind::UnknownFunction,
                        format!("no function has the id `{id}`; there are: {known}"),
                    ));
                };
                let types = function.event_types.iter().map(|known| &**known);
                takes(id, &types.collect::<Vec<_>>(), event_type)?;
            }
            (None, _) if self.registry.listeners(event_type).next().is_none() => {
                known(event_type, &self.store.subscriptions().await?)?;
            }
            (None, _) => {}
        }
        self.registry.check(event_type, &event.payload)
    }
}

pub(super) fn takes(function: &str, types: &[&str], event_type: &str) -> Result<()> {
    if types.contains(&event_type) {
        return Ok(());
    }
    let known = list(types.iter().copied());
    Err(Error::new(
        ErrorKind::Config,
        format!("the function `{function}` does not take `{event_type}`; it takes: {known}"),
    ))
}

fn known(event_type: &str, subscriptions: &[Subscription]) -> Result<()> {
    let types = || {
        subscriptions
            .iter()
            .flat_map(|function| &function.event_types)
            .map(|known| &**known)
    };
    if types().any(|known| known == event_type) {
        return Ok(());
    }
    let known = list(types());
    Err(Error::new(
        ErrorKind::UnknownEvent,
        format!("no function takes the event type `{event_type}`; known types: {known}"),
    ))
}

/// The words in order, each once, and not too many.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 50;
    let words: std::collections::BTreeSet<_> = words.collect();
    if words.is_empty() {
        return "none".to_owned();
    }
    let more = if words.len() > MOST { ", …" } else { "" };
    words.into_iter().take(MOST).collect::<Vec<_>>().join(", ") + more
}
