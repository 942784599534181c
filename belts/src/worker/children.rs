//! Runs that other runs have started, where no loop drives them: who waits for a run drives what that waits for, and in push mode they
//! are handed on.

use std::{pin::Pin, sync::Arc};

use futures_util::future::try_join_all;

use super::{FinishedRun, Shared};
use crate::{
    error::Result,
    store::{RunFilter, RunRecord, RunStatus},
};

/// The most runs of a parent that are looked at at once.
const MOST: usize = 1_000;

impl Shared {
    /// The runs that this one has started and that go on.
    async fn children(&self, run_id: &str) -> Result<Vec<RunRecord>> {
        let statuses = [RunStatus::Pending, RunStatus::Running, RunStatus::Suspended];
        let filter = RunFilter::new()
            .with_parent(run_id)
            .with_statuses(statuses)
            .with_limit(MOST);
        Ok(self.store.list(filter).await?.runs)
    }

    /// Whether the run has started others that go on and that this worker can drive.
    pub(super) async fn has_children(&self, run_id: &str) -> Result<bool> {
        let children = self.children(run_id).await?;
        let mut functions = children.iter().map(|child| &child.function_id);
        Ok(functions.any(|function| self.registry.index(function).is_some()))
    }

    /// Drives the runs that this one has started, until each has ended or waits for something that only others do; whether one has
    /// ended.
    ///
    /// They may have started others, so the type of this future is named.
    pub(super) fn drive_children<'a>(
        self: &'a Arc<Self>,
        run_id: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<bool>> + Send + 'a>> {
        Box::pin(async move {
            let children = self.children(run_id).await?;
            let known = children
                .iter()
                .filter(|child| self.registry.index(&child.function_id).is_some());
            let drives = known.map(|child| self.finish(&child.run_id, &child.function_id, None));
            let ended = try_join_all(drives).await?;
            let is_over = |run: &Option<FinishedRun>| run.as_ref().is_none_or(FinishedRun::is_over);
            Ok(ended.iter().any(is_over))
        })
    }
}
