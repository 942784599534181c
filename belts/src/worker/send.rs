//! How a published event leaves this worker: to the store, or to a dispatcher that carries it to some worker.

use std::{sync::Arc, time::Duration};

use tracing::Span;

use super::Shared;
use crate::{
    clock::Timestamp,
    dispatch::{Message, MessageOptions, Sent, SharedDispatcher, wire},
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    panic,
    publish::{Published, SkippedRun, StartedRun},
    store::{NewEvent, PublishedEvent},
    telemetry::{span::propagator_fell, traceparent},
};

impl Shared {
    /// The span that this is called in, for those who follow a trace; `None` where nobody does.
    pub(crate) fn traceparent(&self) -> Option<Arc<str>> {
        let propagator = self.settings.propagator.as_ref()?;
        let injected = panic::catch("the propagator", || Ok(propagator.inject(&Span::current())));
        let injected = injected.inspect_err(propagator_fell);
        traceparent(&injected.ok().flatten()?)
    }

    /// Makes an event durable, or hands it to the dispatcher.
    pub(crate) async fn send(
        self: &Arc<Self>,
        event: NewEvent,
        options: MessageOptions,
    ) -> Result<Published> {
        let Some(dispatcher) = &self.dispatcher else {
            let published = self.publish(event, false).await?;
            return Ok(self.published(&published));
        };
        let id = Arc::clone(&event.id);
        let message = self.message(dispatcher, event, options)?;
        let sent = self.hand_over(dispatcher, message).await?;
        Ok(self.carried(&id, &sent))
    }

    /// The same with many events at once. The outcomes stand in their order.
    pub(crate) async fn send_all(
        self: &Arc<Self>,
        events: Vec<(NewEvent, MessageOptions)>,
    ) -> Vec<Result<Published>> {
        let Some(dispatcher) = &self.dispatcher else {
            let events = events.into_iter().map(|(event, _)| event).collect();
            let outcomes = self.publish_many(events).await.into_iter();
            return outcomes
                .map(|outcome| Ok(self.published(&outcome?)))
                .collect();
        };
        let (mut outcomes, mut ids, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for (event, options) in events {
            let id = Arc::clone(&event.id);
            let message = self.message(dispatcher, event, options);
            let fits = message.and_then(|message| {
                self.check_message(dispatcher, &message)?;
                Ok(message)
            });
            outcomes.push(match fits {
                Ok(message) => {
                    ids.push(id);
                    messages.push(message);
                    None
                }
                Err(error) => Some(Err(error)),
            });
        }
        let sent = if messages.is_empty() {
            Ok(Vec::new())
        } else {
            dispatcher.send(messages).await
        };
        let mut sent = match sent {
            Ok(sent) if sent.len() == ids.len() => sent,
            Ok(_) => ids.iter().map(|id| Err(no_answer(id))).collect(),
            Err(error) => ids.iter().map(|_| Err(error.same())).collect(),
        }
        .into_iter()
        .zip(ids)
        .map(|(sent, id)| Ok(self.carried(&id, &sent?)));
        let outcomes = outcomes
            .into_iter()
            .filter_map(|outcome| outcome.or_else(|| sent.next()));
        outcomes.collect()
    }

    pub(super) fn published(&self, published: &PublishedEvent) -> Published {
        self.count_published(published.duplicate);
        Published {
            event_id: published.event_id.to_string(),
            duplicate: published.duplicate,
            runs: StartedRun::all(&published.runs),
            skipped: SkippedRun::all(&published.runs),
        }
    }

    fn carried(&self, id: &Arc<str>, sent: &Sent) -> Published {
        self.count_published(sent.duplicate);
        Published {
            event_id: id.to_string(),
            duplicate: sent.duplicate,
            runs: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn message(
        &self,
        dispatcher: &SharedDispatcher,
        event: NewEvent,
        options: MessageOptions,
    ) -> Result<Message> {
        let event = self.sealed(event)?;
        let now = self.clock.now();
        let delay = event.due_at.since(now);
        let mut message = Message::new(Arc::clone(&event.id), wire::event(&event, now))
            .with_event_type(Arc::clone(&event.event_type))
            .with_options(options);
        // What is due later than the transport can hold is sent at once; its time is in the body, and the store holds it.
        if delay <= dispatcher.capabilities().max_delay {
            message = message.with_delay(delay);
        }
        message.group = event.correlation_key;
        Ok(message)
    }

    fn count_published(&self, duplicate: bool) {
        self.metrics.published.increment(u64::from(!duplicate));
    }

    /// Hands a run on to a later delivery, at its time or as late as the transport can.
    ///
    /// The message's id follows from the run and the time, so that a transport that knows duplicates carries it once.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on(
        &self,
        run_id: &Arc<str>,
        due_at: Timestamp,
        hop: u32,
    ) -> Result<()> {
        let id = crate::id::stable_id(&[
            "wake-up",
            run_id,
            &due_at.as_millis().to_string(),
            &hop.to_string(),
        ]);
        self.hand_on_as(id, run_id, due_at, hop).await
    }

    /// As [`hand_on`](Self::hand_on), for a run whose message has come already, and could not resume it: `cause` tells this one apart.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on_again(
        &self,
        run_id: &Arc<str>,
        due_at: Timestamp,
        cause: &str,
    ) -> Result<()> {
        let id = crate::id::stable_id(&["wake-up again", run_id, cause]);
        self.hand_on_as(id, run_id, due_at, 0).await
    }

    #[cfg(feature = "http")]
    async fn hand_on_as(
        &self,
        id: String,
        run_id: &Arc<str>,
        due_at: Timestamp,
        hop: u32,
    ) -> Result<()> {
        let Some(dispatcher) = &self.dispatcher else {
            return Ok(());
        };
        let delay = due_at.since(self.clock.now());
        let message = Message::new(id, wire::wake_up(run_id, due_at, hop))
            .with_delay(delay.min(dispatcher.capabilities().max_delay))
            .with_group(Arc::clone(run_id));
        self.hand_over(dispatcher, message).await?;
        tracing::debug!(run = %run_id, due = %due_at, "sent the message that resumes the run");
        Ok(())
    }

    /// Whether runs are driven within deliveries and what is left of them is handed on: there is no loop, and the dispatcher
    /// can hold a message until its time.
    pub(crate) fn hands_on(&self) -> bool {
        self.dispatcher.as_ref().is_some_and(|dispatcher| {
            let can = dispatcher.capabilities();
            !can.pulls && !can.max_delay.is_zero()
        }) && !self.is_running()
    }

    /// Whether the dispatcher signs what it pushes, so that nothing else is to be taken.
    #[cfg(feature = "http")]
    pub(crate) fn dispatcher_signs(&self) -> bool {
        self.dispatcher
            .as_ref()
            .is_some_and(|dispatcher| dispatcher.capabilities().signs)
    }

    /// Whether it can be told who sends a delivery.
    #[cfg(feature = "http")]
    pub(crate) fn verifies(&self) -> bool {
        !self.http.keys.is_empty() || self.dispatcher_signs()
    }

    /// When a drive that begins now has to hand its run on.
    pub(crate) fn hand_on_at(&self) -> Option<Timestamp> {
        let budget = self.settings.budget.filter(|_| self.hands_on())?;
        Some(self.clock.now().after(budget))
    }

    /// When a run goes on that stops now although it could go on. What is handed on goes by this time, so it is another one
    /// than that of the delivery that drives it.
    pub(crate) fn time_to_go_on(&self, due_at: Timestamp) -> Timestamp {
        if self.hands_on() {
            due_at.max(self.clock.now().after(Duration::from_millis(1)))
        } else {
            due_at
        }
    }

    /// The limit of events on whichever road; what a dispatcher can carry may be less.
    pub(crate) fn check_event_size(&self, event: &EncodedEvent) -> Result<()> {
        self.check_size(&event.event_type, &event.payload)
    }

    pub(crate) fn check_size(&self, event_type: &str, payload: &[u8]) -> Result<()> {
        let (size, limit) = (
            wire::size_of(event_type, payload),
            self.settings.max_body_bytes,
        );
        if size > limit {
            return Err(too_large(size, limit, "`max_body_bytes`"));
        }
        Ok(())
    }

    fn check_message(&self, dispatcher: &SharedDispatcher, message: &Message) -> Result<()> {
        let size = message.body.len();
        let carried = dispatcher.capabilities().max_bytes;
        let own = self.most_in_a_message();
        let limit = carried.map_or(own, |most| most.min(own));
        if size > limit {
            let whose = "the dispatcher's or `max_body_bytes`";
            return Err(too_large(size, limit, whose));
        }
        Ok(())
    }

    async fn hand_over(&self, dispatcher: &SharedDispatcher, message: Message) -> Result<Sent> {
        self.check_message(dispatcher, &message)?;
        let id = Arc::clone(&message.id);
        let answer = dispatcher.send(vec![message]).await?.pop();
        answer.unwrap_or_else(|| Err(no_answer(&id)))
    }
}

fn no_answer(id: &str) -> Error {
    Error::dispatcher(
        format!("the dispatcher returned no result for the message `{id}`"),
        "no answer",
    )
}

fn too_large(size: usize, limit: usize, whose: &str) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the event has {size} bytes as a message, over the limit of {limit}, which is {whose}; store large data elsewhere \
             and publish a reference to it"
        ),
    )
}
