//! Publishing one event: from a typed one to a durable one.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::published::Published;
use crate::{
    clock::Timestamp,
    dispatch::{MessageOption, MessageOptions},
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    id::event_id,
    live::{CURRENT_RUN, LiveRun, outside_of_a_step, step_key},
    store::{EventDigest, NewEvent, Subscription, Target},
    worker::{Worker, installed::worker_for},
};

/// An event about to be published: await it, with or without options.
///
/// It returns when the event and the runs it starts are durable, or with a [dispatcher](crate::dispatch) when that has taken
/// the event and will deliver it. Inside a step's expression its idempotency key follows
/// from the run, the step and the event's content, so that a retried step publishes each event once.
///
/// ```no_run
/// use belts::Event;
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Reminder { user: String }
///
/// # async fn example() -> belts::Result<()> {
/// let published = publish_reminder(Reminder { user: "ada".into() })
///     .delay(Duration::from_secs(60))
///     .idempotency_key("ada-first-reminder")
///     .await?;
/// println!("{} duplicate: {}", published.event_id, published.duplicate);
/// # Ok(()) }
/// ```
#[must_use = "nothing is published until this is awaited: add `.await`"]
#[derive(Debug)]
pub struct Publish {
    event: Result<EncodedEvent>,
    when: When,
    idempotency_key: Option<String>,
    retries: Option<u32>,
    options: MessageOptions,
    worker: Option<Worker>,
    must_start: bool,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    After(Duration),
    At(Timestamp),
}

impl Publish {
    pub(crate) fn new(event: Result<EncodedEvent>) -> Self {
        Self {
            event,
            when: When::Now,
            idempotency_key: None,
            retries: None,
            options: MessageOptions::default(),
            worker: None,
            must_start: false,
        }
    }

    /// Starts the functions after `delay`.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.when = When::After(delay);
        self
    }

    /// Starts the functions at `time`, or at once if it has passed.
    pub fn at(mut self, time: impl Into<SystemTime>) -> Self {
        self.when = When::At(time.into().into());
        self
    }

    /// Publishes once for each key and event type, however often it is called, as long as the store keeps the event.
    ///
    /// A key that is empty or all blanks is an error of kind [`Config`](ErrorKind::Config).
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Retries of the runs that it starts, in place of what the functions say; 0 means none.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Asks something of one kind of dispatcher, such as a label of the message; another kind leaves it alone.
    pub fn option(mut self, option: impl MessageOption) -> Self {
        self.options.insert(option);
        self
    }

    /// Makes it an error of kind [`UnknownEvent`](ErrorKind::UnknownEvent) that the event starts no run. If no function that
    /// the store knows of subscribes to its type, nothing is published then.
    ///
    /// With a [dispatcher](crate::dispatch) only the subscriptions count, by the store of this worker: what the event starts
    /// is known where it is received.
    ///
    /// ```rust,standalone_crate
    /// use belts::{ErrorKind, Event, Worker, store::Memory};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Event)]
    /// struct NobodyCares {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// let worker = Worker::builder().store(Memory::new()).build().await?;
    /// let published = publish_nobody_cares(NobodyCares {}).via(&worker).await?;
    /// assert!(published.runs.is_empty());
    ///
    /// let refused = publish_nobody_cares(NobodyCares {}).must_start().via(&worker).await;
    /// assert_eq!(refused.unwrap_err().kind(), ErrorKind::UnknownEvent);
    /// # Ok(()) }
    /// ```
    pub fn must_start(mut self) -> Self {
        self.must_start = true;
        self
    }

    /// Publishes through this worker instead of the installed one.
    pub fn via(mut self, worker: &Worker) -> Self {
        self.worker = Some(worker.clone());
        self
    }

    async fn send(self) -> Result<Published> {
        let ready = self.ready(None, &mut Subscribers::default()).await?;
        if let Some(rehearsed) = ready.rehearsed() {
            return Ok(rehearsed);
        }
        ready.warn_outside_step();
        let (worker, check) = (ready.worker, ready.check);
        let carried = worker.dispatcher().is_some();
        let published = worker.shared().send(ready.event, ready.options).await?;
        check.outcome(published, carried)
    }

    /// Checks it, and works out all that is sent; `worker` sends it where none was named.
    pub(super) async fn ready(
        self,
        worker: Option<Worker>,
        subscribers: &mut Subscribers,
    ) -> Result<Ready> {
        let ready = self.checked(worker)?;
        if let Some(event_type) = &ready.check.0 {
            subscribers.check(&ready.worker, event_type).await?;
        }
        Ok(ready)
    }

    /// The same without the question whether it starts anything.
    pub(super) fn checked(self, worker: Option<Worker>) -> Result<Ready> {
        let event = self.event?;
        check_key(self.idempotency_key.as_deref())?;
        let run = CURRENT_RUN.try_with(Arc::clone).ok();
        let worker = worker_for(self.worker.or(worker))?;
        worker.shared().check_event_size(&event)?;
        let digest = EventDigest::of(&event.event_type, &event.payload);
        let key = match (self.idempotency_key, &run) {
            (Some(key), _) => Some(key),
            (None, Some(run)) => step_key(&run.run_id, digest),
            (None, None) => None,
        };
        let outside_step = run.filter(|_| key.is_none());
        let id = event_id(&event.event_type, key.as_deref());
        let now = worker.now();
        let due_at = match self.when {
            When::Now => now,
            When::After(delay) => now.after(delay),
            When::At(time) => time.max(now),
        };
        let event = NewEvent {
            digest,
            id: id.into(),
            event_type: event.event_type,
            payload: event.payload,
            correlation_key: event.correlation_key,
            due_at,
            retries: self.retries,
            traceparent: worker.shared().traceparent(),
            target: Target::subscribers(),
            parent: None,
            flows: Vec::new(),
        };
        let check = Check(self.must_start.then(|| Arc::clone(&event.event_type)));
        Ok(Ready {
            worker,
            event,
            options: self.options,
            check,
            outside_step,
        })
    }
}

/// An event that was checked, and all that is sent of it.
pub(super) struct Ready {
    pub(super) worker: Worker,
    pub(super) event: NewEvent,
    pub(super) options: MessageOptions,
    pub(super) check: Check,
    /// The run in which it is published, outside of any step.
    outside_step: Option<Arc<LiveRun>>,
}

impl Ready {
    /// What is said of an event whose run is only rehearsed: it is not published.
    pub(super) fn rehearsed(&self) -> Option<Published> {
        let run = outside_of_a_step()?;
        run.is_rehearsed().then(|| Published {
            event_id: self.event.id.to_string(),
            duplicate: false,
            runs: Vec::new(),
            skipped: Vec::new(),
        })
    }

    /// Warns of an event that will be published again whenever its run resumes; whether it is one.
    pub(super) fn warn_outside_step(&self) -> bool {
        if let Some(run) = &self.outside_step {
            let ids = run.ids();
            tracing::warn!(
                function = ids.function, run = ids.run, event_type = %self.event.event_type,
                "published outside a step: it will be published again whenever the run resumes; write step!(\"…\", publish_…(event))"
            );
        }
        self.outside_step.is_some()
    }
}

/// The type of an event that must start something.
pub(super) struct Check(pub(super) Option<Arc<str>>);

impl Check {
    /// The outcome of an event, which a dispatcher may carry.
    pub(super) fn outcome(self, published: Published, carried: bool) -> Result<Published> {
        match self.0 {
            Some(event_type)
                if published.runs.is_empty() && published.skipped.is_empty() && !carried =>
            {
                let id = &published.event_id;
                Err(Error::new(
                    ErrorKind::UnknownEvent,
                    format!(
                        "the event `{event_type}` was published as `{id}` and started no run: no function wants it"
                    ),
                ))
            }
            _ => Ok(published),
        }
    }
}

/// What the functions of a worker's store subscribe to, asked for once.
#[derive(Default)]
pub(super) struct Subscribers(Option<(Worker, Result<Vec<Subscription>>)>);

impl Subscribers {
    /// An error where no function takes events of this type.
    async fn check(&mut self, worker: &Worker, event_type: &str) -> Result<()> {
        let is_of = |known: &(Worker, _)| Arc::ptr_eq(known.0.shared(), worker.shared());
        let known = match self.0.take().filter(is_of) {
            Some(known) => known,
            None => (worker.clone(), worker.store().subscriptions().await),
        };
        let (_, known) = self.0.insert(known);
        let known = known.as_ref().map_err(Error::same)?;
        let takes = |subscription: &Subscription| {
            let mut types = subscription.event_types.iter();
            types.any(|taken| **taken == *event_type)
        };
        if known.iter().any(takes) {
            return Ok(());
        }
        Err(Error::nobody_subscribes(event_type))
    }
}

/// A key of nothing would make one event of all those whose publishers have forgotten to fill it in.
fn check_key(key: Option<&str>) -> Result<()> {
    if key.is_some_and(|key| key.trim().is_empty()) {
        return Err(Error::new(
            ErrorKind::Config,
            "the idempotency key is empty; give one that tells this event from others, or leave `.idempotency_key(…)` out",
        ));
    }
    Ok(())
}

impl IntoFuture for Publish {
    type Output = Result<Published>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
