//! What middleware is told of the run and the step that it is around.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;

use crate::{
    clock::{Clock, Timestamp},
    error::Result,
    event,
};

/// The run that middleware is around.
#[derive(Clone)]
pub struct RunInfo {
    pub(crate) run_id: Arc<str>,
    pub(crate) function_id: Arc<str>,
    pub(crate) event_id: Arc<str>,
    pub(crate) event_type: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) started_at: Timestamp,
    pub(crate) attempt: u32,
    pub(crate) resumed: bool,
    pub(crate) clock: Arc<dyn Clock>,
}

impl RunInfo {
    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The function's id.
    pub fn function_id(&self) -> &str {
        &self.function_id
    }

    /// The id of the event that started the run.
    pub fn event_id(&self) -> &str {
        &self.event_id
    }

    /// The type of that event.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Which attempt of the function this is, from 1. A resumption after a sleep or a crash is no new attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether something of the run was recorded before.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// When the run first started; the same on every attempt.
    pub fn timestamp(&self) -> SystemTime {
        self.started_at.to_system_time()
    }

    /// How long ago that was, by the worker's clock.
    pub fn age(&self) -> Duration {
        self.clock.now().since(self.started_at)
    }

    /// The event, read as a `T`, which may name only the fields that are of interest.
    ///
    /// ```
    /// # use async_trait::async_trait;
    /// use belts::middleware::{Middleware, Next, Outcome, RunInfo};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Tenant { tenant: String }
    ///
    /// /// Fails runs for events of other tenants.
    /// struct Only(&'static str);
    ///
    /// #[async_trait]
    /// impl Middleware for Only {
    ///     async fn run(&self, run: &RunInfo, next: Next<'_>) -> Outcome {
    ///         let Tenant { tenant } = run.event()?;
    ///         if tenant != self.0 {
    ///             return Err(belts::terminal("an event of another tenant"));
    ///         }
    ///         next.call().await
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// It does not fit.
    pub fn event<T: DeserializeOwned>(&self) -> Result<T> {
        event::decode(&self.payload)
    }

    /// The event's JSON.
    pub fn event_json(&self) -> &[u8] {
        &self.payload
    }
}

impl fmt::Debug for RunInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInfo")
            .field("run_id", &self.run_id())
            .field("function_id", &self.function_id())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// The step that middleware is around.
#[derive(Debug, Clone)]
pub struct StepInfo {
    run: RunInfo,
    path: Arc<str>,
    attempt: u32,
}

impl StepInfo {
    pub(crate) fn new(run: RunInfo, path: &Arc<str>, attempt: u32) -> Self {
        Self {
            run,
            path: Arc::clone(path),
            attempt,
        }
    }

    /// The run that the step is in.
    pub fn run(&self) -> &RunInfo {
        &self.run
    }

    /// The step's path: its key, behind those of the scopes around it, as in `parcel-1/label`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Which attempt of the step this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}
