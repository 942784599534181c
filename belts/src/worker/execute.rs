//! Delivering an event in process: which runs it starts or resumes, and what they came to.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use super::{
    executed::Executed,
    fits::{may_be_published, takes},
    handle::Worker,
    listen::Endings,
    shared::Shared,
    take_over::busy,
    wait::{Started, of_another},
};
use crate::{
    clock::Timestamp,
    dispatch::wire,
    error::{Error, ErrorKind, Result},
    event::{self, EncodedEvent, EventSet},
    id::new_id,
    store::{EventDigest, NewEvent, RunRecord, RunStatus, Target},
};

/// An event about to be delivered in process: await it, with or without options. See [`Worker::execute`].
#[must_use = "nothing is delivered until this is awaited: add `.await`"]
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a choice of its own, made by who delivers"
)]
pub struct Execute {
    worker: Worker,
    event: Result<EncodedEvent>,
    pub(crate) event_id: Option<String>,
    pub(crate) function: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) until: Option<String>,
    /// When the runs become due, if not now.
    pub(crate) due_at: Option<Timestamp>,
    /// Retries of the runs, in place of what the functions say.
    pub(crate) retries: Option<u32>,
    /// Where its publisher's span is known.
    pub(crate) traceparent: Option<Arc<str>>,
    /// Leaves the runs to the loop, within its limits.
    pub(crate) in_background: bool,
    /// Makes it an error of kind `Busy` that another worker drives a run which was there before.
    pub(crate) exclusive: bool,
    /// Leaves a run that is there already to the one who hands it on.
    pub(crate) hands_on: bool,
    /// What becomes of a run that is there already.
    pub(crate) known: Known,
    /// Whether the event was checked against the functions that take it.
    pub(crate) checked: bool,
}

/// What becomes of a run that is there already under the id that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It goes on here and now.
    Resume,
    /// It goes on here at its time, which is now for one that has stopped.
    AtItsTime,
    /// It is left to whoever drives it.
    Leave,
}

impl Execute {
    pub(crate) fn new(worker: Worker, event: Result<EncodedEvent>) -> Self {
        Self {
            worker,
            event,
            event_id: None,
            function: None,
            run_id: None,
            until: None,
            due_at: None,
            retries: None,
            traceparent: None,
            in_background: false,
            exclusive: false,
            hands_on: false,
            known: Known::Resume,
            checked: false,
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.worker.shared()
    }

    /// Only this function; an error of kind [`Config`](ErrorKind::Config) if it does not take the event.
    pub fn function(mut self, id: impl Into<String>) -> Self {
        self.function = Some(id.into());
        self
    }

    /// Resumes the run of this id, or begins it under this id; needs [`function`](Self::function), unless the event has
    /// one subscriber.
    pub fn run_id(mut self, id: impl Into<String>) -> Self {
        self.run_id = Some(id.into());
        self
    }

    /// Goes on until the step of this path is recorded, then stops. A scope's steps have paths such as `parcel-1/label`.
    pub fn until(mut self, step: impl Into<String>) -> Self {
        self.until = Some(step.into());
        self
    }

    async fn go(self) -> Result<Executed> {
        let started = self.start().await?;
        started.wait().await
    }

    /// Makes the event durable, resumes or begins its runs here, and says which they are.
    pub(crate) async fn start(mut self) -> Result<Started> {
        let shared = Arc::clone(self.worker.shared());
        if let Some(run_id) = self.run_id.take() {
            let run_id = wire::id(run_id, "the run's id");
            self.run_id =
                Some(run_id.map_err(|wrong| Error::new(ErrorKind::Config, wrong.message))?);
        }
        if let Some(run_id) = &self.run_id
            && let Some(record) = shared.store.run(run_id).await?
        {
            return self.resume(shared, record).await;
        }
        let event = std::mem::replace(
            &mut self.event,
            Err(Error::new(ErrorKind::Config, "the event was delivered")),
        )?;
        let target = self.target(&shared, &event.event_type).await?;
        if !self.checked {
            shared.reads(&target, &event)?;
        }
        let now = shared.clock.now();
        let new = NewEvent {
            digest: EventDigest::of(&event.event_type, &event.payload),
            id: self.event_id.take().map_or_else(new_id, Into::into),
            event_type: event.event_type,
            payload: event.payload,
            correlation_key: event.correlation_key,
            due_at: self.due_at.map_or(now, |due_at| due_at.max(now)),
            retries: self.retries,
            traceparent: self.traceparent.take().or_else(|| shared.traceparent()),
            target: target.clone(),
            parent: None,
            flows: Vec::new(),
        };
        // The target must be known before the run starts.
        let mut aim = match (&target, &self.until) {
            (
                Target::Function {
                    run_id: Some(run_id),
                    ..
                },
                Some(step),
            ) => {
                let until = Some(step.as_str().into());
                Some(shared.waiters.targets.set(run_id, until))
            }
            _ => None,
        };
        let waits = !self.in_background;
        let published = shared
            .publish_and_hear(new, aim.is_some() || waits, waits)
            .await;
        let begins = published
            .as_ref()
            .is_ok_and(|(published, _)| !published.duplicate);
        shared.waiters.targets.take_back(aim.take_if(|_| !begins));
        let (published, endings) = published?;
        let runs: Vec<_> = published
            .runs
            .into_iter()
            .map(|run| (run.run_id, run.function_id))
            .collect();
        if published.duplicate && self.exclusive {
            for (run_id, function_id) in &runs {
                shared.take_over(run_id, function_id).await?;
            }
        }
        Ok(Started {
            shared,
            event_id: published.event_id,
            duplicate: published.duplicate,
            runs,
            endings,
            aim,
        })
    }

    /// Which functions the event starts, under which id.
    async fn target(&mut self, shared: &Shared, event_type: &str) -> Result<Target> {
        let function_id = match self.function.take() {
            Some(id) => known_function(shared, id).await?,
            None if self.run_id.is_none() && self.until.is_none() => {
                may_be_published(event_type)?;
                return Ok(Target::subscribers());
            }
            None => only_listener(shared, event_type)?,
        };
        if let Some(function) = shared.registry.get(&function_id) {
            let types: Vec<_> = function.event_types().collect();
            takes(&function_id, &types, event_type)?;
        }
        // A run that is to stop at a step needs its id before it starts.
        let given = self.run_id.take().map(Into::into);
        let run_id = given.or_else(|| self.until.is_some().then(new_id));
        Ok(Target::function(function_id, run_id))
    }

    /// Goes on with the run that was named.
    async fn resume(self, shared: Arc<Shared>, record: RunRecord) -> Result<Started> {
        let (run_id, function_id) = (record.run_id, record.function_id);
        let mut aim = None;
        if let Some(wanted) = self.function.filter(|wanted| **wanted != *function_id) {
            return Err(of_another(&run_id, &function_id, &wanted));
        }
        let waits = record.due_at.is_some_and(|due| due > shared.clock.now());
        let leaves = match self.known {
            Known::Resume => false,
            Known::AtItsTime => waits,
            Known::Leave => true,
        };
        if !record.status.is_finished() && !leaves {
            let stopped = record.status == RunStatus::Stopped;
            if stopped && shared.registry.get(&function_id).is_none() {
                return Err(Error::new(
                    ErrorKind::UnknownFunction,
                    format!(
                        "the run `{run_id}` belongs to the function `{function_id}`, which this program does not have"
                    ),
                ));
            }
            if stopped {
                shared.leave(&run_id).await;
            }
            // A drive reads its target at its start.
            if self.until.is_some() && self.exclusive && shared.drives(&run_id) {
                return Err(busy(&run_id));
            }
            let asked = shared
                .waiters
                .targets
                .set(&run_id, self.until.map(Into::into));
            let taken = async {
                let taken =
                    self.hands_on || shared.claim_unless_driven(&run_id, &function_id).await?;
                if self.exclusive && !taken && shared.is_elsewhere(&run_id).await? {
                    return Err(busy(&run_id));
                }
                Ok(())
            };
            if let Err(error) = taken.await {
                shared.waiters.targets.take_back(Some(asked));
                return Err(error);
            }
            shared.waiters.targets.replace_earlier(&asked);
            aim = asked.until.is_some().then_some(asked);
        }
        Ok(Started {
            shared,
            event_id: record.event_id,
            duplicate: true,
            runs: vec![(run_id, function_id)],
            endings: Endings::new(),
            aim,
        })
    }
}

/// The id of a function that some worker has, this one above all.
async fn known_function(shared: &Shared, id: String) -> Result<Arc<str>> {
    if let Some(function) = shared.registry.get(&id) {
        return Ok(Arc::clone(&function.id));
    }
    let subscriptions = shared.store.subscriptions().await?;
    if let Some(function) = subscriptions
        .iter()
        .find(|function| *function.function_id == *id)
    {
        return Ok(Arc::clone(&function.function_id));
    }
    let known: Vec<_> = subscriptions
        .iter()
        .map(|function| &*function.function_id)
        .collect();
    Err(Error::new(
        ErrorKind::UnknownFunction,
        format!(
            "no function has the id `{id}`; there are: {}",
            known.join(", ")
        ),
    ))
}

fn only_listener(shared: &Shared, event_type: &str) -> Result<Arc<str>> {
    let mut listeners = shared.registry.listeners(event_type);
    match (listeners.next(), listeners.next()) {
        (Some(only), None) => Ok(Arc::clone(&shared.registry.functions()[only].id)),
        _ => Err(Error::new(
            ErrorKind::Config,
            format!(
                "name the function: a run id or a step to stop at belongs to one function, and `{event_type}` does not start \
                 exactly one here"
            ),
        )),
    }
}

impl IntoFuture for Execute {
    type Output = Result<Executed>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}

impl Worker {
    /// Delivers an event in process and waits until every function that it starts has ended.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, step};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Ping { n: u32 }
    /// # #[belts::function(id = "double", on = Ping)]
    /// # async fn double(ping: Ping) -> belts::Result<u32> { step!("double", ping.n * 2).await }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(belts::store::Memory::new()).build().await?;
    /// let executed = worker.execute(Ping { n: 4 }).function("double").run_id("test-123").await?;
    /// assert_eq!(executed.runs[0].run_id, "test-123");
    /// assert_eq!(executed.output::<u32>("double")?, 8);
    /// # Ok(()) }
    /// ```
    ///
    /// If the worker shuts down first, this is an error of kind [`Shutdown`](ErrorKind::Shutdown). The run is not lost: another
    /// worker continues it, and the same event with the same `run_id` waits for it there.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an event is given away, as by the `publish_*` helpers"
    )]
    pub fn execute<E: EventSet>(&self, event: E) -> Execute {
        let event = event::checked(&event).and_then(|event| {
            self.shared.check_event_size(&event)?;
            Ok(event)
        });
        Execute::new(self.clone(), event)
    }
}
