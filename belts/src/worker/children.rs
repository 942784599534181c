//! Runs that other runs have started, where no loop drives them: who waits for a run drives what that waits for, and in push mode they
//! are handed on.

use std::{pin::Pin, sync::Arc};

use futures_util::future::try_join_all;

use super::{FinishedRun, Shared};
use crate::{
    error::Result,
    store::{RunFilter, RunRecord, RunStatus, StepState, Wait},
};

/// The most runs of a parent that are looked at at once.
const MOST: usize = 1_000;

/// How a run goes on that rests on a clock that a test moves.
pub(super) enum Family {
    /// By what a run has done that it has started.
    GoesOn,
    /// At its own time.
    AtItsTime,
    /// By what only the test can do, or by a run that another worker drives.
    Waits,
}

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

    /// Drives the runs below one that rests, on a clock that a test moves: what is due now, or else whatever is due first, unless one
    /// of them waits for something that only the test does.
    pub(super) async fn drive_family(self: &Arc<Self>, run: &RunRecord) -> Result<Family> {
        let mut members = self.children(&run.run_id).await?;
        let mut next = 0;
        while let Some(member) = members.get(next).filter(|_| next < MOST) {
            members.extend(self.children(&Arc::clone(&member.run_id)).await?);
            next += 1;
        }
        let known = |member: &&RunRecord| self.registry.index(&member.function_id).is_some();
        let dues = members
            .iter()
            .filter(known)
            .filter_map(|member| Some((member.due_at?, member)));
        let first = dues.min_by_key(|(due_at, _)| *due_at);
        let now = self.clock.now();
        if first.is_none_or(|(due_at, _)| due_at > now) {
            for member in members.iter().chain([run]) {
                if self.waits_for_others(&member.run_id).await? {
                    return Ok(Family::Waits);
                }
            }
        }
        let Some((due_at, member)) = first else {
            let is_alone = members.is_empty() || run.due_at.is_none();
            return Ok(if is_alone {
                Family::Waits
            } else {
                Family::AtItsTime
            });
        };
        if run.due_at.is_some_and(|own| own < due_at) {
            return Ok(Family::AtItsTime);
        }
        if due_at.is_never() {
            return Ok(Family::Waits);
        }
        self.clock.sleep_until(due_at).await;
        let ended = self.listen(&member.run_id);
        let index = self.registry.index(&member.function_id);
        let claimed = match index {
            Some(index) => self.claim_run(&member.run_id, index).await?,
            None => false,
        };
        if !claimed {
            return Ok(Family::Waits);
        }
        // It reports the end of its drive while this worker lives.
        let _ = ended.await;
        Ok(Family::GoesOn)
    }

    /// Whether a run waits for what is not the end of a run.
    async fn waits_for_others(&self, run_id: &str) -> Result<bool> {
        let journal = self.store.journal(run_id).await?;
        let mut open = journal.iter().filter(|entry| {
            entry.kind.is_wait() && entry.is_step() && entry.state == StepState::Waiting
        });
        Ok(open.any(|entry| !entry.wait.as_ref().is_some_and(Wait::is_for_a_run)))
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
