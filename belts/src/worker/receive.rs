//! Messages that came by a dispatcher: read, checked and made durable, then acknowledged.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;

use super::{
    Execute, Shared, Worker,
    refused::{Refused, deadly, is_suspect},
};
use crate::{
    Backoff,
    codec::sealed,
    dispatch::{Delivery, Nack, Receipt, SharedDispatcher, Verdict, wire},
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    id::stable_id,
    panic::catch_future,
    plain::Clean,
};

/// The most messages that are made durable at once.
const BATCH: usize = 64;
/// How long a worker rests after its dispatcher failed.
const REST: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// Nobody waits less than this for messages without having any.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// What became of a delivery.
enum Fate {
    Durable,
    Refused(Nack),
}

/// The receipts of what is taken in and not answered yet.
type Held = Mutex<Vec<Receipt>>;

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
            let begun = self.clock.now();
            let received = tokio::select! {
                received = catch_future(dispatcher.receive(BATCH)) => received,
                () = self.shutdown.begun() => return,
            };
            match received {
                Ok(deliveries) if deliveries.is_empty() => {
                    // Not all transports wait.
                    self.pause(SHORTEST_WAIT.saturating_sub(self.clock.now().since(begun)))
                        .await;
                    failures = 0;
                }
                Ok(deliveries) => {
                    failures = 0;
                    self.take_in(&dispatcher, deliveries).await;
                }
                Err(error) => {
                    failures += 1;
                    tracing::error!(error = %error.report(), "cannot receive messages; trying again");
                    self.pause(REST.ceiling(failures)).await;
                }
            }
        }
    }

    /// Waits, but not beyond the beginning of the shutdown.
    async fn pause(&self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        tokio::select! {
            () = self.clock.expire_at(self.clock.now().after(pause)) => {}
            () = self.shutdown.begun() => {}
        }
    }

    /// Makes deliveries durable and says so: what is new at once, and then one after the other what came before and was not
    /// answered, as it may have ended the process that had it.
    async fn take_in(self: &Arc<Self>, dispatcher: &SharedDispatcher, deliveries: Vec<Delivery>) {
        let held = deliveries.iter().map(|delivery| delivery.receipt.clone());
        let held: Held = Mutex::new(held.collect());
        let (suspects, calm): (Vec<_>, Vec<_>) = deliveries.into_iter().partition(is_suspect);
        let taking = async {
            self.take_some(dispatcher, &held, &calm).await;
            for suspect in &suspects {
                self.take_some(dispatcher, &held, std::slice::from_ref(suspect))
                    .await;
            }
        };
        tokio::select! {
            () = taking => {}
            () = self.keep_visible(dispatcher, &held) => unreachable!("it goes on for ever"),
        }
    }

    /// Makes some deliveries durable, all at once, and says so.
    async fn take_some(
        self: &Arc<Self>,
        dispatcher: &SharedDispatcher,
        held: &Held,
        deliveries: &[Delivery],
    ) {
        let fates = join_all(deliveries.iter().map(|delivery| self.take(delivery))).await;
        let (mut durable, mut refused) = (Vec::new(), Vec::new());
        for (delivery, fate) in deliveries.iter().zip(fates) {
            match fate {
                Fate::Durable => durable.push(delivery.receipt.clone()),
                Fate::Refused(nack) => refused.push(nack),
            }
        }
        let answered = |receipt: &Receipt| deliveries.iter().any(|it| it.receipt == *receipt);
        lock(held).retain(|receipt| !answered(receipt));
        if !durable.is_empty()
            && let Err(error) = catch_future(dispatcher.ack(durable)).await
        {
            tracing::warn!(error = %error.report(), "could not acknowledge messages; they will be redelivered and recognized \
             as duplicates");
        }
        if !refused.is_empty()
            && let Err(error) = catch_future(dispatcher.nack(refused)).await
        {
            tracing::warn!(error = %error.report(), "could not return messages; they will be redelivered");
        }
    }

    /// Keeps other receivers from being given what is taken in here, for as long as that takes.
    async fn keep_visible(&self, dispatcher: &SharedDispatcher, held: &Held) {
        let Some(visibility) = dispatcher.capabilities().visibility else {
            return std::future::pending().await;
        };
        let pause = (visibility / 3).max(SHORTEST_WAIT);
        loop {
            self.clock.expire_at(self.clock.now().after(pause)).await;
            let receipts = lock(held).clone();
            if let Err(error) = catch_future(dispatcher.extend(&receipts)).await {
                tracing::warn!(error = %error.report(), "could not extend the visibility timeout; messages may be redelivered");
            }
        }
    }

    /// Makes one delivery durable. Whatever goes wrong in it, a panic too, is told of it alone.
    async fn take(self: &Arc<Self>, delivery: &Delivery) -> Fate {
        let refused = if let Some(deadly) = deadly(delivery) {
            deadly
        } else {
            let taken = catch_future(async { Ok(self.make_durable(delivery).await) });
            match taken.await.unwrap_or_else(|panic| Err(panic.into())) {
                Ok(()) => return Fate::Durable,
                Err(refused) => refused,
            }
        };
        self.metrics.messages.refused();
        let (verdict, reason) = (refused.verdict(delivery.arrivals), refused.reason());
        match verdict {
            Verdict::PutAside => tracing::error!(
                message = %Clean(&delivery.message_id), reason, "cannot process a message; it is set aside"
            ),
            Verdict::Later(pause) => tracing::warn!(
                message = %Clean(&delivery.message_id), ?pause, reason, "cannot process a message now; it will be redelivered"
            ),
        }
        // Some transports keep it with the message.
        let kept = if self.encrypts() {
            refused.reason_without_values(&delivery.body)
        } else {
            reason
        };
        Fate::Refused(Nack::new(delivery.receipt.clone(), verdict, kept))
    }

    async fn make_durable(self: &Arc<Self>, delivery: &Delivery) -> Result<(), Refused> {
        let (size, limit) = (delivery.body.len(), self.most_in_a_message());
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
            self.due.notify();
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

/// That an event which came sealed does not fit, for whoever keeps what is answered. What is wrong with it stands in the log.
fn without_values(event_type: &str, error: &Error) -> Error {
    tracing::warn!(event_type = %Clean(event_type), error = %error.report(), "a sealed event does not fit");
    Error::new(
        ErrorKind::InvalidEvent,
        format!("the event `{event_type}` does not fit; the worker's log says why"),
    )
}

fn lock(held: &Held) -> MutexGuard<'_, Vec<Receipt>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Checks a received event; what is left is to start its runs. `foreign` is its id where its publisher gave none.
    pub(crate) async fn receive(
        &self,
        mut event: wire::WireEvent,
        context: wire::Context,
        foreign: Option<String>,
    ) -> Result<Execute> {
        let was_sealed = sealed::key_of(&event.payload).is_some();
        self.shared
            .open_event(&mut event, context.event_id.as_deref())?;
        let checked = self
            .shared
            .check(&event, context.function_id.as_deref())
            .await;
        let correlation_key = match checked {
            Err(error) if was_sealed && error.kind() == ErrorKind::InvalidEvent => {
                return Err(without_values(&event.event_type, &error));
            }
            checked => checked?,
        };
        let event = EncodedEvent {
            event_type: event.event_type,
            payload: event.payload,
            correlation_key,
        };
        let mut execute = Execute::new(self.clone(), Ok(event));
        execute.checked = true;
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
