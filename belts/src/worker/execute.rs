//! Delivering an event in process and waiting for what its functions return.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Ended, Shared, Worker};
use crate::{
    codec::{self, Outcome},
    error::{Error, ErrorKind, Result},
    event::EncodedEvent,
    store::{NewEvent, RunRecord, RunStatus, Target},
};

/// An event about to be delivered in process: await it, with or without options. See [`Worker::execute`].
#[must_use = "an event is delivered when this is awaited"]
#[derive(Debug)]
pub struct Execute {
    worker: Worker,
    event: Result<EncodedEvent>,
    pub(crate) event_id: Option<String>,
    function: Option<String>,
    run_id: Option<String>,
    until: Option<String>,
}

/// What an event's functions came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Executed {
    /// The event's id.
    pub event_id: String,
    /// Its runs, sorted by function id.
    pub runs: Vec<FinishedRun>,
}

/// Where a run stood when the wait for it ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct FinishedRun {
    /// The run's id.
    pub run_id: String,
    /// The function's id.
    pub function_id: String,
    /// Completed, failed, cancelled, or stopped at the step that was asked for.
    pub status: RunStatus,
    /// The output as JSON if it completed, `null` if it stopped, or the error.
    pub result: Result<Box<RawValue>>,
}

impl Executed {
    /// The output of one function.
    ///
    /// # Errors
    /// The function has no run here, its run failed, or its output is not a `T`.
    pub fn output<T: DeserializeOwned>(mut self, function_id: &str) -> Result<T> {
        let Some(index) = self
            .runs
            .iter()
            .position(|run| run.function_id == function_id)
        else {
            return Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("the event started no run of the function `{function_id}`"),
            ));
        };
        self.runs.swap_remove(index).output()
    }
}

impl FinishedRun {
    /// The output.
    ///
    /// # Errors
    /// The run failed, or its output is not a `T`.
    pub fn output<T: DeserializeOwned>(self) -> Result<T> {
        serde_json::from_str(self.result?.get()).map_err(|error| {
            let wanted = std::any::type_name::<T>();
            Error::new(
                ErrorKind::Codec,
                format!("the output of `{}` is no `{wanted}`", self.function_id),
            )
            .with_source(error)
        })
    }
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
        }
    }

    /// Only this function, whether it subscribes to the event or not.
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
    pub(crate) async fn start(self) -> Result<Started> {
        let shared = Arc::clone(self.worker.shared());
        let event = self.event?;
        let target = target(&shared, &event.event_type, self.function, self.run_id)?;
        if let Target::Function {
            run_id: Some(run_id),
            function_id,
        } = &target
        {
            if let Some(record) = shared.store.run(run_id).await? {
                return resume(shared, record, function_id, self.until).await;
            }
            if let Some(step) = &self.until {
                shared.set_target(run_id, step.as_str().into());
            }
        }
        let target = match (target, &self.until) {
            // The target must be known before the run starts, and so must its id.
            (
                Target::Function {
                    function_id,
                    run_id: None,
                },
                Some(step),
            ) => {
                let run_id: Arc<str> = Uuid::now_v7().simple().to_string().into();
                shared.set_target(&run_id, step.as_str().into());
                Target::Function {
                    function_id,
                    run_id: Some(run_id),
                }
            }
            (Target::Subscribers { .. }, Some(_)) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "`until` needs a function: name one with `.function(\"…\")`",
                ));
            }
            (target, _) => target,
        };
        let new = NewEvent {
            id: self
                .event_id
                .unwrap_or_else(|| Uuid::now_v7().simple().to_string())
                .into(),
            event_type: event.event_type,
            payload: event.payload,
            correlation_key: event.correlation_key,
            due_at: shared.clock.now(),
            retries: None,
            target,
        };
        let published = shared.publish(new, true).await?;
        let runs = published
            .runs
            .into_iter()
            .map(|run| (run.run_id, run.function_id))
            .collect();
        Ok(Started {
            shared,
            event_id: published.event_id,
            duplicate: published.duplicate,
            runs,
        })
    }
}

fn target(
    shared: &Shared,
    event_type: &str,
    function: Option<String>,
    run_id: Option<String>,
) -> Result<Target> {
    let function = match function {
        Some(id) if shared.registry.get(&id).is_none() => {
            let known: Vec<_> = shared
                .registry
                .functions()
                .iter()
                .map(|function| &*function.id)
                .collect();
            return Err(Error::new(
                ErrorKind::UnknownFunction,
                format!(
                    "no function has the id `{id}`; this program has: {}",
                    known.join(", ")
                ),
            ));
        }
        Some(id) => Some(Arc::from(id)),
        None if run_id.is_some() => {
            let mut listeners = shared.registry.listeners(event_type);
            match (listeners.next(), listeners.next()) {
                (Some(only), None) => Some(Arc::clone(&shared.registry.functions()[only].id)),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Config,
                        format!(
                            "a run id needs a function, as `{event_type}` does not have exactly one here"
                        ),
                    ));
                }
            }
        }
        None => None,
    };
    Ok(match function {
        Some(function_id) => Target::Function {
            function_id,
            run_id: run_id.map(Into::into),
        },
        None => Target::Subscribers { except: Vec::new() },
    })
}

async fn resume(
    shared: Arc<Shared>,
    record: RunRecord,
    function_id: &Arc<str>,
    until: Option<String>,
) -> Result<Started> {
    if record.function_id != *function_id {
        return Err(Error::new(
            ErrorKind::UnknownRun,
            format!(
                "the run `{}` belongs to the function `{}`, not `{function_id}`",
                record.run_id, record.function_id
            ),
        ));
    }
    match until {
        Some(step) => shared.set_target(&record.run_id, step.into()),
        None => shared.clear_target(&record.run_id),
    }
    if !record.status.is_finished() {
        if let Some(index) = shared.registry.index(&record.function_id) {
            shared.claim_run(&record.run_id, index).await?;
        }
    }
    let runs = vec![(record.run_id, record.function_id)];
    Ok(Started {
        shared,
        event_id: record.event_id,
        duplicate: true,
        runs,
    })
}

impl IntoFuture for Execute {
    type Output = Result<Executed>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.go())
    }
}

/// A delivered event whose runs are under way.
#[derive(Debug)]
pub(crate) struct Started {
    shared: Arc<Shared>,
    pub(crate) event_id: Arc<str>,
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only HTTP answers tell")
    )]
    pub(crate) duplicate: bool,
    /// Run ids with their functions' ids.
    pub(crate) runs: Vec<(Arc<str>, Arc<str>)>,
}

impl Started {
    /// Waits until every run has ended or stopped.
    pub(crate) async fn wait(self) -> Result<Executed> {
        let mut runs = Vec::with_capacity(self.runs.len());
        for (run_id, function_id) in &self.runs {
            let finished = self.shared.finish(run_id, function_id).await?;
            self.shared.clear_target(run_id);
            runs.extend(finished);
        }
        Ok(Executed {
            event_id: self.event_id.to_string(),
            runs,
        })
    }
}

impl Shared {
    /// Waits for the end of a run, and drives it here where no loop does; `None` if a filter removed it.
    async fn finish(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &Arc<str>,
    ) -> Result<Option<FinishedRun>> {
        let mut pause = Duration::from_millis(20);
        loop {
            let ended = self.listen(run_id);
            let Some(record) = self.store.run(run_id).await? else {
                return Ok(None);
            };
            if record.status.is_finished() || record.status == RunStatus::Stopped {
                return finished(record).map(Some);
            }
            let now = self.clock.now();
            let due = record
                .due_at
                .filter(|_| record.status != RunStatus::Running);
            let here = self
                .registry
                .index(function_id)
                .filter(|_| !self.is_running());
            if let (Some(due), Some(index)) = (due, here) {
                self.clock.sleep_until(due).await;
                self.claim_run(run_id, index).await?;
                continue;
            }
            // A run that another worker drives tells nobody here, so the store is asked again.
            pause = (pause * 2).min(self.options().sweep);
            tokio::select! {
                ended = ended => if let Ok(Ended::Abandoned) = ended { self.clock.expire_at(now.after(pause)).await },
                () = self.clock.expire_at(now.after(pause)) => {}
            }
        }
    }
}

fn finished(record: RunRecord) -> Result<FinishedRun> {
    let result = match (record.status, &record.result) {
        (RunStatus::Cancelled, _) => Err(Error::new(ErrorKind::Cancelled, "the run was cancelled")),
        (RunStatus::Stopped, _) | (_, None) => Ok(RawValue::NULL.to_owned()),
        (_, Some(envelope)) => match codec::raw(envelope)? {
            Outcome::Ok(value) => Ok(value.to_owned()),
            Outcome::Err(failure) => Err(failure.into_error()),
        },
    };
    let result = result.map_err(|error| {
        error
            .with_run(&record.run_id)
            .with_function(&record.function_id)
    });
    Ok(FinishedRun {
        run_id: record.run_id.to_string(),
        function_id: record.function_id.to_string(),
        status: record.status,
        result,
    })
}
