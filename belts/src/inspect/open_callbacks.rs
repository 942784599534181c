//! The callbacks of a run that nobody has completed, by their paths: whoever may change the run need not know their ids.

use std::{collections::HashSet, sync::Arc};

use serde_json::value::RawValue;

use super::{Runs, decided::Decided, settle::settlements};
use crate::{
    callback::{Recorded, key_of},
    error::{Error, ErrorKind, Result},
    store::{Entry, RunRecord, RunStatus, StepKind, StepState, Wait},
};

/// A callback that waits to be completed.
pub(crate) struct OpenCallback<'a> {
    pub(crate) path: &'a str,
    id: Arc<str>,
}

impl OpenCallback<'_> {
    /// What stands for it in the journal.
    pub(crate) fn key(&self) -> String {
        key_of(&self.id)
    }
}

/// What is said to a callback.
pub(crate) enum Said {
    Value(Box<RawValue>),
    Failure(String),
}

/// Those that a function has made and nobody has completed, in the order in which they were made; none once the run is over or undone.
pub(crate) fn open_callbacks<'a>(run: &RunRecord, journal: &'a [Entry]) -> Vec<OpenCallback<'a>> {
    if run.status.is_finished() || run.status == RunStatus::Undoing {
        return Vec::new();
    }
    let (settlements, completed, races) = (
        settlements(journal),
        completed(journal),
        Decided::all(journal),
    );
    let made = journal.iter().filter(|entry| {
        let has_lost = || races.iter().any(|race| race.has_beaten(&entry.path));
        entry.kind == StepKind::Callback && !settlements.contains(&*entry.path) && !has_lost()
    });
    let open = made.filter_map(|entry| {
        let (path, id) = (&*entry.path, Recorded::in_entry(entry)?.id);
        Some(OpenCallback { path, id })
    });
    open.filter(|open| !completed.contains(&*open.key()))
        .collect()
}

/// The keys of what was waited for and has come.
fn completed(journal: &[Entry]) -> HashSet<&str> {
    let heard = journal
        .iter()
        .filter(|entry| entry.state != StepState::Waiting);
    heard
        .filter_map(|entry| match &entry.wait {
            Some(Wait::Event { key, .. }) => key.as_deref(),
            _ => None,
        })
        .collect()
}

impl Runs {
    /// Completes the open callback of this path; the run's record names who did.
    ///
    /// # Errors
    /// Of kind [`UnknownCallback`](ErrorKind::UnknownCallback): there is none. What is said does not fit, or comes too late, which is
    /// noted as well. Also if the store cannot be reached or written.
    pub(crate) async fn complete_at(&self, run_id: &str, path: &str, said: Said) -> Result<()> {
        let run = self.get(run_id).await?;
        let journal = self.journal(run_id).await?;
        let mut open = open_callbacks(&run, &journal).into_iter();
        let Some(found) = open.find(|open| open.path == path) else {
            let text = format!("no callback `{path}` of the run `{run_id}` is open");
            return Err(Error::new(ErrorKind::UnknownCallback, text));
        };
        let what = format!("complete {path}");
        self.note(run_id, &what).await?;
        let callback = self.callback(found.id);
        let done = match said {
            Said::Value(value) => callback.complete_with(&value).await,
            Said::Failure(text) => callback.fail(text).await,
        };
        self.note_refusal(run_id, &what, done).await
    }
}
