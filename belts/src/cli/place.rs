//! What every command is written on: runs, wherever they are.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    error::{Error, Result},
    inspect::Exported,
    inspect::shape::{
        Changed, ChangedFunction, Forgotten, ShownCancelled, ShownFunction, ShownPage, ShownPurge,
        ShownRun,
    },
    inspect::shown_schedule::{Action, ChangedSchedule, PutSchedule, ShownSchedule},
    store::{NewEvent, Reencrypt, Tag},
};

/// The operations behind all commands.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// One page of runs, newest first.
    async fn list(&self, asked: Filters) -> Result<ShownPage>;
    /// A run with its steps.
    async fn run(&self, id: &str, values: bool) -> Result<ShownRun>;
    /// A run with its event and its journal.
    async fn export(&self, id: &str) -> Result<Exported>;
    async fn cancel(&self, id: &str) -> Result<Changed>;
    /// Cancels some of the runs that match the filters, and says where the next part begins.
    async fn cancel_some(&self, asked: Filters) -> Result<ShownCancelled, Stopped>;
    /// Resumes a run, optionally without anything recorded from a step on.
    async fn rerun(&self, id: &str, from: Option<&str>) -> Result<Changed>;
    /// Removes some of the runs that ended before a time, and says whether any are left.
    async fn purge(&self, before: Timestamp) -> Result<ShownPurge>;
    /// Seals everything anew, part by part.
    fn reencrypt(&self) -> Result<Reencrypt>;
    async fn functions(&self) -> Result<Vec<ShownFunction>>;
    async fn pause(&self, function: &str) -> Result<ChangedFunction>;
    async fn resume(&self, function: &str) -> Result<ChangedFunction>;
    async fn forget(&self, function: &str) -> Result<Forgotten>;
    /// Every schedule, with so many of its next ticks.
    async fn schedules(&self, next: usize) -> Result<Vec<ShownSchedule>>;
    async fn change_schedule(&self, name: &str, action: Action) -> Result<ChangedSchedule>;
    async fn put_schedule(&self, asked: PutSchedule) -> Result<ChangedSchedule>;
    async fn complete(&self, callback: &Arc<str>, completion: Completion) -> Result<()>;
    async fn settle(&self, run: &str, step: &str, settlement: Settlement) -> Result<()>;
    /// Publishes an event; returns whether it existed before, and its runs if they are known.
    async fn publish(&self, event: NewEvent) -> Result<Sent>;
}

/// What is said of a step.
pub(super) enum Settlement {
    Value(Box<RawValue>),
    Retry,
    Failure(String),
}

/// What a callback is completed with.
pub(super) enum Completion {
    Value(Box<RawValue>),
    Failure(String),
}

/// A failure, after some runs were cancelled.
pub(super) struct Stopped {
    pub(super) cancelled: usize,
    /// Where to go on without those that failed.
    pub(super) next: Option<String>,
    pub(super) error: Error,
}

/// Which runs to list, or to cancel.
#[derive(Debug, Clone, Default)]
pub(super) struct Filters {
    pub(super) function: Option<String>,
    pub(super) event: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) tags: Vec<Tag>,
    /// Names of [`RunStatus`](crate::store::RunStatus), already checked.
    pub(super) statuses: Vec<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    /// No limit if it is 0.
    pub(super) limit: usize,
    pub(super) page: Option<String>,
}

/// The result of publishing an event.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) duplicate: bool,
    /// Run ids with their functions' ids; a remote worker does not return the latter.
    pub(super) runs: Option<Vec<(String, String)>>,
}
