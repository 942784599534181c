//! Publishing: from a typed event to a durable one.

use std::{
    cell::Cell,
    collections::HashMap,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    clock::Timestamp,
    codec::{self, Lost},
    dispatch::{MessageOption, MessageOptions},
    error::{Error, ErrorKind, Result},
    event::{EncodedEvent, EventSet},
    guard,
    store::{EventDigest, NewEvent, PublishedRun, Subscription, Target},
    telemetry::span::RunIds,
    wire,
    worker::{
        Worker,
        live::{CURRENT_RUN, CURRENT_STEP, LiveRun},
    },
};

thread_local! {
    /// What JSON could not hold of the event that this thread wrote last.
    static LOST: Cell<Lost> = const { Cell::new(Lost::NOTHING) };
}

tokio::task_local! {
    /// The worker of the scope that is being polled.
    static SCOPED: Worker;
}

static INSTALLED: RwLock<Option<Worker>> = RwLock::new(None);

pub(crate) fn install(worker: &Worker) {
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(worker.clone());
}

/// Polls a future with this worker in place of the installed one.
pub(crate) async fn scope<F: Future>(worker: Worker, future: F) -> F::Output {
    SCOPED.scope(worker, future).await
}

fn installed() -> Option<Worker> {
    INSTALLED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

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
#[must_use = "write `.await` behind it: nothing is published before"]
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

/// What became of a published event. A step that publishes records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Published {
    /// The event's id.
    pub event_id: String,
    /// Whether an event of this type with this idempotency key was there before; nothing was published then. A dispatcher
    /// may not know: then it is `false`, and whoever receives the event finds that it was there.
    pub duplicate: bool,
    /// The runs that it started, or those that a duplicate has, sorted by function; none if nobody subscribes to its type, if
    /// no filter wants it, or if a dispatcher carries it: then they start where it is received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<StartedRun>,
}

/// A run that a published event started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StartedRun {
    /// The run's id.
    pub run_id: String,
    /// The function's id.
    pub function_id: String,
}

impl StartedRun {
    pub(crate) fn all(runs: &[PublishedRun]) -> Vec<Self> {
        let started = runs.iter().map(|run| Self {
            run_id: run.run_id.to_string(),
            function_id: run.function_id.to_string(),
        });
        started.collect()
    }
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
        let event = self.event?;
        check_key(self.idempotency_key.as_deref())?;
        let run = CURRENT_RUN.try_with(Arc::clone).ok();
        let worker = worker_for(self.worker, run.as_ref())?;
        worker.shared().check_event_size(&event)?;
        if self.must_start {
            has_subscriber(&worker, &event.event_type).await?;
        }
        let digest = EventDigest::of(&event.event_type, &event.payload);
        let key = match (self.idempotency_key, &run) {
            (Some(key), _) => Some(key),
            (None, Some(run)) => step_key(&run.run_id, digest),
            (None, None) => None,
        };
        if let (None, Some(run)) = (&key, &run) {
            let ids = RunIds::of(run);
            tracing::warn!(
                function = ids.function, run = ids.run, event_type = %event.event_type,
                "published outside a step: it will be published again whenever the run resumes; write step!(\"…\", publish_…(event))"
            );
        }
        let id = event_id(&event.event_type, key.as_deref());
        let now = worker.now();
        let due_at = match self.when {
            When::Now => now,
            When::After(delay) => now.after(delay),
            When::At(time) => time.max(now),
        };
        let new = NewEvent {
            digest,
            id: id.into(),
            event_type: event.event_type,
            payload: event.payload,
            correlation_key: event.correlation_key,
            due_at,
            retries: self.retries,
            traceparent: worker.shared().traceparent(),
            target: Target::Subscribers { except: Vec::new() },
        };
        let event_type = Arc::clone(&new.event_type);
        let published = worker.shared().send(new, self.options).await?;
        let carried = worker.dispatcher().is_some();
        if self.must_start && published.runs.is_empty() && !carried {
            let id = &published.event_id;
            return Err(Error::new(
                ErrorKind::UnknownEvent,
                format!(
                    "the event `{event_type}` was published as `{id}` and started no run: no function wants it"
                ),
            ));
        }
        Ok(published)
    }
}

/// Whether some function takes events of this type.
async fn has_subscriber(worker: &Worker, event_type: &str) -> Result<()> {
    let subscriptions = worker.store().subscriptions().await?;
    let takes = |subscription: &Subscription| {
        let mut types = subscription.event_types.iter();
        types.any(|taken| **taken == *event_type)
    };
    if subscriptions.iter().any(takes) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::UnknownEvent,
        format!(
            "no function subscribes to `{event_type}`, so it was not published: start the worker that has one first, and see \
             that its crate is linked in"
        ),
    ))
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

/// The id of an event: one that follows from its type and its idempotency key, or a new one.
pub(crate) fn event_id(event_type: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => stable_id(&[event_type, key]),
        None => Uuid::now_v7().simple().to_string(),
    }
}

/// The worker that was named, or else that of the scope or the run whose code this is, or else the installed one.
pub(crate) fn worker_for(named: Option<Worker>, run: Option<&Arc<LiveRun>>) -> Result<Worker> {
    let of_run = || run.map(|run| Worker::from_shared(Arc::clone(&run.worker)));
    let of_scope = || SCOPED.try_with(Worker::clone).ok();
    let inner = named.or_else(of_scope).or_else(of_run);
    inner.or_else(installed).ok_or_else(|| {
        Error::new(
            ErrorKind::NoWorker,
            "no worker to publish through: call `worker.install()` once at start-up (`belts::serve()` does), \
             name one with `.via(&worker)`, or put the code into `worker.scope(…)`",
        )
    })
}

/// How often an attempt of a step has published what, by digest.
#[derive(Debug, Default)]
pub(crate) struct PublishedHere(Mutex<HashMap<EventDigest, u32>>);

impl PublishedHere {
    /// How often it published the same before.
    fn count(&self, digest: EventDigest) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(digest).or_default();
        *count += 1;
        *count - 1
    }
}

/// The key of an event that this step publishes; `None` outside a step.
///
/// What a retried attempt publishes again is found by it, in whatever order, and what it publishes otherwise is an event of
/// its own: a list that was fetched anew may hold other items.
pub(crate) fn step_key(run_id: &str, digest: EventDigest) -> Option<String> {
    CURRENT_STEP
        .try_with(|step| {
            let count = step.published.count(digest).to_string();
            let digest = format!("{digest:?}");
            stable_id(&[run_id, &step.path, &digest, &count])
        })
        .ok()
}

impl IntoFuture for Publish {
    type Output = Result<Published>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// An id that follows from its parts: a UUID version 8 over their SHA-256, each part with its length before it.
pub(crate) fn stable_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes).simple().to_string()
}

/// A valid event as it is published.
pub(crate) fn checked<E: EventSet>(event: &E) -> Result<EncodedEvent> {
    guard::call("to write the event", || {
        event.check()?;
        LOST.take();
        let encoded = event.encode()?;
        let lost = LOST.take();
        if !lost.is_nothing() {
            comes_back::<E>(&encoded, lost)?;
        }
        Ok(encoded)
    })
}

/// Whether a function will read what was written, although JSON could not hold all of it.
fn comes_back<E: EventSet>(encoded: &EncodedEvent, lost: Lost) -> Result<()> {
    let misread = match E::decode(&encoded.event_type, &encoded.payload) {
        Err(error) => Some(format!("cannot be read back ({error})")),
        Ok(back) => {
            back.encode()?;
            (LOST.take() != lost).then(|| "would not come back as it is".to_owned())
        }
    };
    let Some(misread) = misread else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::InvalidEvent,
        format!(
            "event `{}` {misread}: {}",
            encoded.event_type,
            lost.reason()
        ),
    ))
}

/// Where serde's attributes make it so, such as `flatten`, no macro sees it.
const TYPE_OF_ITS_OWN: &str = "has a field `type` of its own, which holds the event's type on the wire; name that field otherwise, such as \
     `kind`";

/// Writes an event as a JSON object.
pub(crate) fn encode<T: Serialize + ?Sized>(
    event_type: &'static str,
    value: &T,
    correlation_key: Option<String>,
) -> Result<EncodedEvent> {
    let fail = |reason: &str| {
        Error::new(
            ErrorKind::InvalidEvent,
            format!("event `{event_type}` {reason}"),
        )
    };
    let mut payload = Vec::with_capacity(128);
    let lost = codec::write_json(&mut payload, value)
        .map_err(|error| fail("cannot be written as JSON").with_source(error))?;
    LOST.set(lost);
    if payload == b"null" {
        payload = b"{}".to_vec();
    }
    if payload.first() != Some(&b'{') {
        return Err(fail(
            "is not a JSON object: an event is a struct with named fields",
        ));
    }
    if wire::has_type(&payload) {
        return Err(fail(TYPE_OF_ITS_OWN));
    }
    Ok(EncodedEvent {
        event_type: event_type.into(),
        payload: payload.into(),
        correlation_key: correlation_key.map(Into::into),
    })
}

/// Reads an event; where it does not fit, a second reading finds the path to the field.
pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T> {
    serde_json::from_slice(payload).map_err(|error| {
        let mut reader = serde_json::Deserializer::from_slice(payload);
        let path = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Err(error) => format!(" at `{}`", error.path()),
            Ok(_) => String::new(),
        };
        let misfit = codec::misfit(&error);
        Error::new(
            ErrorKind::InvalidEvent,
            format!("the event does not fit{path}: {misfit}"),
        )
    })
}
