//! What every command is written on: runs, wherever they are.

use async_trait::async_trait;

use crate::{
    clock::Timestamp,
    error::Result,
    inspect::shape::{Changed, Forgotten, ShownFunction, ShownPage, ShownPurge, ShownRun},
    store::NewEvent,
};

/// What every command is written on.
#[async_trait]
pub(super) trait Place: Send + Sync {
    /// One page of runs, newest first.
    async fn list(&self, asked: Asked) -> Result<ShownPage>;
    /// A run with its steps.
    async fn run(&self, id: &str, values: bool) -> Result<ShownRun>;
    async fn cancel(&self, id: &str) -> Result<Changed>;
    /// Has a run go on, if need be with nothing left of what was recorded from a step on.
    async fn rerun(&self, id: &str, from: Option<&str>) -> Result<Changed>;
    /// Removes a part of what ended before a time; the answer says whether anything is left.
    async fn purge(&self, before: Timestamp) -> Result<ShownPurge>;
    async fn functions(&self) -> Result<Vec<ShownFunction>>;
    async fn forget(&self, function: &str) -> Result<Forgotten>;
    /// Publishes; whether the event was there before, and its runs where that is known.
    async fn publish(&self, event: NewEvent) -> Result<Sent>;
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) function: Option<String>,
    pub(super) event: Option<String>,
    /// Words of [`RunStatus`](crate::store::RunStatus), which were checked.
    pub(super) statuses: Vec<String>,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) limit: usize,
    pub(super) page: Option<String>,
}

/// What became of an event.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) duplicate: bool,
    /// Run ids with their functions' ids; a worker elsewhere does not tell.
    pub(super) runs: Option<Vec<(String, String)>>,
}
