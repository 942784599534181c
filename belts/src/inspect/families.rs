//! Rerunning a run with those that it has called or started: it would hear of the same ends again.

use std::{collections::HashSet, sync::Arc};

use super::{Runs, decided::Decided};
use crate::{
    error::Result,
    run::undo_path,
    store::{Entry, Rerun, RunRecord, RunStatus, StepKind, StepState, Wait},
};

/// A run to be rerun.
struct ToRerun {
    run_id: Arc<str>,
    undone: Vec<u32>,
    /// The calls that wait again.
    reopen: Vec<u32>,
}

/// What a rerun of a run does to those below it.
#[derive(Default)]
struct Below {
    reopen: Vec<u32>,
    undone: Vec<u32>,
    /// The runs that are to be rerun before it.
    stopped: Vec<Arc<str>>,
}

impl Runs {
    /// Reruns a run, from a step on if there is one; before that, the runs that it still waits for and that failed or were cancelled,
    /// the lowest first. Returns whether it was rerun.
    pub(super) async fn rerun_family(
        &self,
        run_id: &str,
        from: Option<(u32, &str)>,
    ) -> Result<bool> {
        let first = from.map(|(first, _)| first);
        let Below {
            reopen,
            undone,
            stopped,
        } = self.below(run_id, first).await?;
        let mut seen: HashSet<Arc<str>> = stopped.iter().cloned().collect();
        let mut all: Vec<ToRerun> = Vec::new();
        let mut next = stopped;
        while let Some(run_id) = next.pop() {
            let below = self.below(&run_id, None).await?;
            next.extend(
                below
                    .stopped
                    .into_iter()
                    .filter(|id| seen.insert(Arc::clone(id))),
            );
            all.push(ToRerun {
                run_id,
                undone: below.undone,
                reopen: below.reopen,
            });
        }
        // Each was found by one above it.
        for ToRerun {
            run_id: child,
            undone,
            reopen,
        } in all.into_iter().rev()
        {
            self.note(&child, &format!("rerun with {run_id}")).await?;
            let request = Rerun::new(Arc::clone(&child), self.clock.now())
                .with_undone(undone)
                .with_reopen(reopen);
            self.store.rerun(request).await?;
            self.tell(&child).await?;
        }
        let action = from.map_or("rerun".to_owned(), |(_, step)| format!("rerun from {step}"));
        self.note(run_id, &action).await?;
        let request = Rerun::new(run_id, self.clock.now())
            .with_from(first)
            .with_undone(undone)
            .with_reopen(reopen);
        self.store.rerun(request).await
    }

    /// What a rerun from `first` on does to the runs that this one has called or started.
    async fn below(&self, run_id: &str, first: Option<u32>) -> Result<Below> {
        let journal = self.store.journal(run_id).await?;
        let mut below = Below {
            undone: undone(&journal),
            ..Below::default()
        };
        let dropped = below.undone.clone();
        let stays = |entry: &&Entry| {
            first.is_none_or(|first| entry.seq < first) && !dropped.contains(&entry.seq)
        };
        let races = Decided::all(&journal);
        let has_lost = |entry: &Entry| races.iter().any(|race| race.has_beaten(&entry.path));
        for entry in journal.iter().filter(stays) {
            if has_lost(entry) {
                continue;
            }
            let Some(child) = entry.started_run() else {
                continue;
            };
            let awaited = match entry.kind {
                StepKind::Call => entry.state != StepState::Completed,
                _ => journal.iter().any(|other| has_no_result_of(other, &child)),
            };
            // Nothing is done for it, and a fan-out has many of them.
            if entry.kind == StepKind::Call && !awaited {
                continue;
            }
            let record = self.store.run(&child).await?;
            if entry.kind == StepKind::Call && awaited && reopens(entry, record.as_ref()) {
                below.reopen.push(entry.seq);
            }
            let ended_with_it = |record: &RunRecord| {
                let is_attached = record.parent.as_ref().is_some_and(|parent| parent.attached);
                is_attached && record.status == RunStatus::Cancelled
            };
            let stopped = record.filter(|record| {
                let is_own = record
                    .parent
                    .as_ref()
                    .is_some_and(|it| *it.run_id == *run_id);
                let has_stopped = matches!(record.status, RunStatus::Failed | RunStatus::Cancelled);
                let is_lost = entry.kind == StepKind::Start && ended_with_it(record);
                is_own && has_stopped && (awaited || is_lost)
            });
            below.stopped.extend(stopped.map(|record| record.run_id));
        }
        Ok(below)
    }
}

/// What was undone, and what undid something without success: what could not be undone is as it was. What was undone stays in the journal,
/// so that the keys of what is done anew are others.
pub(super) fn undone(journal: &[Entry]) -> Vec<u32> {
    let undos = || journal.iter().filter(|entry| entry.kind == StepKind::Undo);
    let is_over = |undo: &Entry| undo.state == StepState::Completed;
    let is_undone = |entry: &&Entry| {
        entry.undoable && {
            let path = undo_path(journal, entry);
            undos().any(|undo| undo.path == path && is_over(undo))
        }
    };
    let undone = journal.iter().filter(is_undone);
    let undone = undone.chain(undos().filter(|undo| !is_over(undo)));
    undone.map(|entry| entry.seq).collect()
}

/// Whether a call that did not complete waits for its child again. If it failed and the child is gone, it starts a new one instead.
fn reopens(entry: &Entry, child: Option<&RunRecord>) -> bool {
    match entry.state {
        StepState::Failed => child.is_some(),
        // If it is gone, it hears so; if its time was running, that begins anew.
        _ => child.is_none_or(|child| child.status.is_finished()) || entry.due_at.is_some(),
    }
}

/// Whether an entry waits for the end of this run, or has heard that it failed.
fn has_no_result_of(entry: &Entry, child: &str) -> bool {
    let Some(wait @ Wait::Event { key, .. }) = &entry.wait else {
        return false;
    };
    let is_for_it = wait.is_for_a_run() && key.as_deref() == Some(child);
    is_for_it && entry.kind == StepKind::Wait && entry.state != StepState::Completed
}
