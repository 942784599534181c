//! Runs that other runs have started, where no loop drives them: who waits for a run drives what that waits for, and in push mode they
//! are handed on.

use std::{pin::Pin, sync::Arc};

use futures_util::future::try_join_all;

use super::Shared;
#[cfg(feature = "http")]
use crate::store::Parent;
use crate::{
    clock::Timestamp,
    error::Result,
    store::{RunFilter, RunRecord, RunStatus, StepState, Wait},
};

/// The most runs of a parent that are looked at at once.
const MOST: usize = 1_000;

/// The runs that this one has started, as many as are looked at at once.
fn below(run_id: &str, statuses: &[RunStatus]) -> RunFilter {
    RunFilter::new()
        .with_parent(run_id)
        .with_statuses(statuses)
        .with_limit(MOST)
}

/// When the time of a run or of one below it is over, if that is before any of them is due.
fn first_over<'a>(
    run: &RunRecord,
    members: impl Iterator<Item = &'a RunRecord>,
) -> Option<Timestamp> {
    let (mut due_at, mut over_at, mut is_alone) = (run.due_at, run.over_at(), true);
    for member in members {
        is_alone = false;
        due_at = due_at.into_iter().chain(member.due_at).min();
        over_at = over_at.into_iter().chain(member.over_at()).min();
    }
    over_at.filter(|over_at| !is_alone && due_at.is_none_or(|due_at| *over_at <= due_at))
}

/// What moves a resting run on, when a test moves the clock.
pub(super) enum Family {
    /// One of its children has been driven.
    GoesOn,
    /// At its own time.
    AtItsTime,
    /// Only the test can move it on.
    Waits,
    /// Somebody else drives one of its children.
    Driven,
}

impl Shared {
    /// The runs that this one has started and that go on.
    async fn children(&self, run_id: &str) -> Result<Vec<RunRecord>> {
        let statuses = [
            RunStatus::Pending,
            RunStatus::Running,
            RunStatus::Suspended,
            RunStatus::Undoing,
        ];
        Ok(self.store.list(below(run_id, &statuses)).await?.runs)
    }

    /// Drives the runs below one that rests, on a clock that a test moves: all that are due now, or else whatever is due first, unless
    /// one of them waits for something that only the test does.
    pub(super) async fn drive_family(self: &Arc<Self>, run: &RunRecord) -> Result<Family> {
        let now = self.clock.now();
        let mut members = self.children(&run.run_id).await?;
        let mut next = 0;
        loop {
            // One after the other, so that a crash costs one of them its step.
            let mut goes_on = false;
            for member in &members[next..] {
                if member.due_at.is_some_and(|due_at| due_at <= now) {
                    goes_on |= self.drive_member(member).await?;
                }
            }
            if goes_on {
                return Ok(Family::GoesOn);
            }
            // Those below the ones that were looked at.
            let last = members.len().min(MOST);
            if next >= last {
                break;
            }
            for member in next..last {
                let run_id = Arc::clone(&members[member].run_id);
                members.extend(self.children(&run_id).await?);
            }
            next = last;
        }
        if members.iter().any(RunRecord::is_driven) {
            return Ok(Family::Driven);
        }
        if self.waits_for_the_test(run, &members).await? {
            return Ok(Family::Waits);
        }
        let known = |member: &&RunRecord| self.registry.index(&member.function_id).is_some();
        if let Some(over_at) = first_over(run, members.iter().filter(known)) {
            self.clock.sleep_until(over_at).await;
            self.expire().await?;
            return Ok(Family::GoesOn);
        }
        let dues = members.iter().filter(known);
        let dues = dues.filter_map(|member| Some((member.due_at?, member)));
        let first = dues.min_by_key(|(due_at, _)| *due_at);
        let first = first.filter(|(due_at, _)| run.due_at.is_none_or(|own| *due_at <= own));
        let Some((due_at, member)) = first else {
            let is_alone = members.is_empty() || run.due_at.is_none();
            return Ok(if is_alone {
                Family::Waits
            } else {
                Family::AtItsTime
            });
        };
        if due_at.is_never() {
            return Ok(Family::Waits);
        }
        self.clock.sleep_until(due_at).await;
        let driven = self.drive_member(member).await?;
        Ok(if driven {
            Family::GoesOn
        } else {
            Family::Waits
        })
    }

    /// Drives a run until it rests or ends; whether it was this worker's to drive.
    async fn drive_member(self: &Arc<Self>, member: &RunRecord) -> Result<bool> {
        let Some(index) = self.registry.index(&member.function_id) else {
            return Ok(false);
        };
        let ended = self.listen(&member.run_id);
        let claimed = self.claim_run(&member.run_id, index).await?;
        if claimed {
            // It reports the end of its drive while this worker lives.
            let _ = ended.await;
        }
        Ok(claimed)
    }

    /// Whether a run waits for what only the test does, or for the end of one that does.
    async fn waits_for_the_test(&self, run: &RunRecord, members: &[RunRecord]) -> Result<bool> {
        let mut next = vec![Arc::clone(&run.run_id)];
        while let Some(run_id) = next.pop() {
            for entry in self.store.journal(&run_id).await? {
                let is_open = entry.kind.is_wait() && entry.is_step();
                if !is_open || entry.state != StepState::Waiting {
                    continue;
                }
                match &entry.wait {
                    Some(wait @ Wait::Event { key: Some(key), .. }) if wait.is_for_a_run() => {
                        let goes_on = members.iter().any(|member| member.run_id == *key);
                        next.extend(goes_on.then(|| Arc::clone(key)));
                    }
                    _ => return Ok(true),
                }
            }
        }
        Ok(false)
    }

    /// The runs that this one has started, that go on, and that this worker can drive.
    pub(super) async fn own_children(
        &self,
        run_id: &str,
        function_id: &str,
    ) -> Result<Vec<RunRecord>> {
        if !self.registry.may_start(function_id) {
            return Ok(Vec::new());
        }
        let mut children = self.children(run_id).await?;
        children.retain(|child| self.registry.index(&child.function_id).is_some());
        Ok(children)
    }

    /// Drives runs until each has ended.
    ///
    /// They may have started others, so the type of this future is named.
    pub(super) fn drive_children<'a>(
        self: &'a Arc<Self>,
        children: &'a [RunRecord],
    ) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move {
            let drives = children
                .iter()
                .map(|child| self.finish(&child.run_id, &child.function_id, None));
            try_join_all(drives).await.map(drop)
        })
    }

    /// In push mode, hands on the runs that this one has started and that nobody has driven yet: those that rest were handed on by
    /// whoever drove them.
    #[cfg(feature = "http")]
    pub(super) async fn hand_on_children(&self, run_id: &str, function_id: &str) -> Result<()> {
        self.hand_on_next(function_id).await?;
        if !self.registry.may_start(function_id) {
            return Ok(());
        }
        let mut filter = below(run_id, &[RunStatus::Pending]);
        loop {
            let page = self.store.list(filter.clone()).await?;
            for child in page.runs {
                if let Some(due_at) = child.due_at {
                    self.hand_on(&child.run_id, due_at, 0).await?;
                }
            }
            let Some(next) = page.next else {
                return self.hand_on_undoing(run_id).await;
            };
            filter = filter.with_after(next);
        }
    }

    /// In push mode, hands on the runs below this one that ended with it and are undone first.
    #[cfg(feature = "http")]
    pub(super) async fn hand_on_undoing(&self, run_id: &str) -> Result<()> {
        let mut next: Vec<Arc<str>> = vec![run_id.into()];
        while let Some(run_id) = next.pop() {
            let filter = below(&run_id, &[RunStatus::Undoing, RunStatus::Cancelled]);
            for child in self.store.list(filter).await?.runs {
                if let Some(due_at) = child.due_at {
                    self.hand_on(&child.run_id, due_at, 0).await?;
                }
                next.push(child.run_id);
            }
        }
        Ok(())
    }

    /// In push mode, hands on what a run has started that was driven for somebody who waited for it.
    #[cfg_attr(
        not(feature = "http"),
        expect(clippy::unused_async, reason = "only a dispatcher is waited for")
    )]
    pub(crate) async fn leave_children(&self, run_id: &str, function_id: &str) {
        #[cfg(feature = "http")]
        if self.hands_on()
            && let Err(error) = self.hand_on_children(run_id, function_id).await
        {
            tracing::error!(
                function = function_id, run = run_id, error = %error.report(),
                "the runs that this one has started could not be handed on; they wait until it is delivered again"
            );
        }
        #[cfg(not(feature = "http"))]
        let _ = (run_id, function_id);
    }

    /// In push mode, hands on the run that may wait for the end of one that it has started.
    ///
    /// The message is this child's own. That of another child for the same millisecond, or of a process whose clock is behind, may have
    /// been delivered before this one ended.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on_parent(&self, parent: Option<&Parent>, child: &str) -> Result<()> {
        let Some(parent) = parent else {
            return Ok(());
        };
        let record = self.store.run(&parent.run_id).await?;
        if let Some(parent) = record.filter(RunRecord::is_suspended)
            && let Some(due_at) = parent.due_at
        {
            let cause = format!("{child} at {}", due_at.as_millis());
            self.hand_on_again(&parent.run_id, due_at, &cause).await?;
        }
        Ok(())
    }
}
