//! Changing a run: cancelling and rerunning it.

#[cfg(feature = "dashboard")]
use std::sync::Arc;

use super::Runs;
#[cfg(feature = "dashboard")]
use super::families::undone;
use crate::{
    error::{Error, ErrorKind, Result},
    run::is_under,
    store::{Entry, RunRecord, RunStatus, StepKind, StepState},
};

impl Runs {
    /// Cancels a run, and its [attached children](crate::guide::calling#inside-a-function-call) with it; `false` if it had ended
    /// already, or is being undone.
    ///
    /// A step that is running is not interrupted. Its result is no longer recorded, and nothing follows it. A run that has recorded
    /// steps with an `undo` goes on to [undo](crate::guide::undoing) them, with the status `undoing`, and is cancelled then; so does one
    /// whose [cancels are handled](crate::guide::errors#cancelled-runs-as-well).
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the store cannot be written. Of kind [`Dispatcher`](ErrorKind::Dispatcher): the run is cancelled,
    /// but a worker without a loop could not hand on the one that has called it; try again.
    pub async fn cancel(&self, run_id: &str) -> Result<bool> {
        let run = self.get(run_id).await?;
        if run.status == RunStatus::Undoing {
            self.tell(run_id).await?;
            return Ok(false);
        }
        if run.status.is_finished() {
            self.tell_parent(&run).await?;
            return Ok(false);
        }
        self.note(run_id, "cancel").await?;
        let cancelled = self.end(run_id).await?;
        if cancelled {
            self.tell_parent(&run).await?;
        }
        Ok(cancelled)
    }

    /// Cancels a run on which that is noted; `false` if it had ended already.
    pub(super) async fn end(&self, run_id: &str) -> Result<bool> {
        match &self.worker {
            Some(worker) => worker.cancel(&run_id.into()).await,
            None => self.store.cancel(run_id, self.clock.now()).await,
        }
    }

    /// Tells the worker that a run was cancelled.
    pub(super) fn tell_cancelled(&self, run_id: &str) {
        if let Some(worker) = &self.worker {
            worker.cancelled(run_id);
        }
    }

    /// Resumes a failed or cancelled run where it stopped; `false` if it is neither.
    ///
    /// It is the same run: recorded results stay and those steps do not run again, failed steps do, and its
    /// attempts count from the beginning. [Children](crate::guide::calling#running-again) that it waits for and that failed or were
    /// cancelled are rerun with it.
    ///
    /// # Errors
    /// As [`get`](Self::get), and if the store cannot be written. Of kind [`Dispatcher`](ErrorKind::Dispatcher): the run is due
    /// again, but a worker without a loop could not hand it on; try again.
    pub async fn rerun(&self, run_id: &str) -> Result<bool> {
        let rerun = self.has_stopped(run_id).await? && self.rerun_family(run_id, None).await?;
        self.tell(run_id).await?;
        Ok(rerun)
    }

    /// As [`rerun`](Self::rerun), but discards the records from this step on: what the step and those that
    /// began after it have done, they do again. Calls among them start new children.
    ///
    /// The step is named by its path, as in the journal. If it is in an arm of a race that was decided, the race is decided anew, and
    /// the records from the race on are discarded: they rest on its winner.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, step, store::Memory};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Paid { cents: u64 }
    /// # #[belts::function(id = "ship", on = Paid)]
    /// # async fn ship(paid: Paid) -> belts::Result<()> {
    /// #     step!("weigh", paid.cents).await?;
    /// #     step!("pack", async { Err::<(), _>(belts::terminal("no box is left")) }).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(Memory::new()).build().await?;
    /// # worker.execute(Paid { cents: 100 }).run_id("r-1").function("ship").await?;
    /// assert!(worker.runs().rerun_from("r-1", "weigh").await?);
    /// assert!(worker.runs().journal("r-1").await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`rerun`](Self::rerun). Of kind [`UnknownRun`](ErrorKind::UnknownRun): the run has not recorded the step.
    pub async fn rerun_from(&self, run_id: &str, step: &str) -> Result<bool> {
        let journal = self.store.journal(run_id).await?;
        let mut steps = journal.iter().filter(|entry| entry.is_step());
        let Some(entry) = steps.find(|entry| &*entry.path == step) else {
            self.get(run_id).await?;
            return Err(Error::new(
                ErrorKind::UnknownRun,
                format!("the run `{run_id}` has not recorded the step `{step}`"),
            ));
        };
        let first = first_to_drop(&journal, entry);
        let rerun = self.has_stopped(run_id).await?
            && self.rerun_family(run_id, Some((first, step))).await?;
        self.tell(run_id).await?;
        Ok(rerun)
    }

    /// Where no loop runs, hands on the run that waits for the end of this one.
    #[cfg_attr(
        not(feature = "http"),
        expect(clippy::unused_async, reason = "only a dispatcher is waited for")
    )]
    pub(super) async fn tell_parent(&self, run: &RunRecord) -> Result<()> {
        #[cfg(feature = "http")]
        if let Some(worker) = self.worker.as_ref().filter(|worker| worker.hands_on()) {
            worker
                .hand_on_parent(run.parent.as_ref(), &run.run_id)
                .await?;
        }
        #[cfg(not(feature = "http"))]
        let _ = run;
        Ok(())
    }

    /// Whether a run can be rerun.
    async fn has_stopped(&self, run_id: &str) -> Result<bool> {
        let status = self.get(run_id).await?.status;
        Ok(matches!(status, RunStatus::Failed | RunStatus::Cancelled))
    }

    /// Notifies the worker of a run that may be due.
    pub(super) async fn tell(&self, run_id: &str) -> Result<()> {
        let run = self.get(run_id).await?;
        if let (Some(worker), Some(due_at)) = (&self.worker, run.due_at) {
            worker.due.expect(due_at);
            #[cfg(feature = "http")]
            if worker.hands_on() {
                worker.hand_on(&run.run_id, due_at, 0).await?;
            }
        }
        Ok(())
    }
}

/// What a rerun would do again, for whoever is about to ask for it.
#[cfg(feature = "dashboard")]
pub(crate) struct DoneAgain {
    /// The path from which records are discarded: the step's own, or that of a race around it.
    pub(crate) from: Option<Arc<str>>,
    /// How many steps were undone and run anew.
    pub(crate) undone: usize,
    /// How many of the runs that it called are run again.
    pub(crate) children: usize,
}

#[cfg(feature = "dashboard")]
impl Runs {
    /// What a rerun, from a step or not, would do again.
    ///
    /// # Errors
    /// Of kind [`UnknownRun`](ErrorKind::UnknownRun): there is no such run or step. Also if the store cannot be reached.
    pub(crate) async fn done_again(&self, run_id: &str, from: Option<&str>) -> Result<DoneAgain> {
        let journal = self.journal(run_id).await?;
        let mut first = None;
        if let Some(path) = from {
            let Some(step) = journal.iter().find(|entry| &*entry.path == path) else {
                let text = format!("the run `{run_id}` has recorded no step `{path}`");
                return Err(Error::new(ErrorKind::UnknownRun, text));
            };
            let seq = first_to_drop(&journal, step);
            let dropped = journal.iter().find(|entry| entry.seq == seq);
            first = dropped.map(|entry| (seq, Arc::clone(&entry.path)));
        }
        let undone = undone(&journal);
        let is_undone = |entry: &&Entry| undone.contains(&entry.seq) && entry.undoable;
        let stays = |entry: &&Entry| first.as_ref().is_none_or(|(seq, _)| entry.seq < *seq);
        let mut children = 0;
        for entry in journal.iter().filter(stays) {
            let Some(child) = entry.started_run().filter(|_| entry.kind == StepKind::Call) else {
                continue;
            };
            let child = self.store.run(&child).await?;
            let has_ended =
                |child: RunRecord| matches!(child.status, RunStatus::Failed | RunStatus::Cancelled);
            children += usize::from(child.is_some_and(has_ended));
        }
        Ok(DoneAgain {
            from: first.as_ref().map(|(_, path)| Arc::clone(path)),
            undone: journal.iter().filter(is_undone).filter(stays).count(),
            children,
        })
    }
}

/// The `seq` from which records are discarded, so that a step is done again: its own, or that of the first decided race in an arm of
/// which it is. The recorded winner would otherwise stay without what it won by.
fn first_to_drop(journal: &[Entry], step: &Entry) -> u32 {
    let races = journal.iter().filter(|entry| {
        let is_decided = entry.kind == StepKind::Race && entry.state != StepState::Waiting;
        is_decided && is_under(&step.path, &entry.path)
    });
    races.map(|race| race.seq).fold(step.seq, u32::min)
}
