//! The callbacks of a run that nobody has completed, by their paths: whoever may change the run need not know their ids.

use super::{CallbackHandle, Runs, settle::is_settlement};
use crate::{
    callback::{Recorded, key_of},
    error::{Error, ErrorKind, Result},
    store::{Entry, StepKind, StepState, Wait},
};

/// Those that a function has made and nobody has completed, in the order in which they were made.
pub(crate) fn open_callbacks(journal: &[Entry]) -> impl Iterator<Item = &Entry> {
    let made = journal
        .iter()
        .filter(|entry| entry.kind == StepKind::Callback && !is_settlement(entry, journal));
    made.filter(|entry| {
        let id = Recorded::in_entry(entry).map(|recorded| recorded.id);
        id.is_some_and(|id| !is_completed(&key_of(&id), journal))
    })
}

fn is_completed(key: &str, journal: &[Entry]) -> bool {
    journal.iter().any(|entry| {
        let Some(Wait::Event { key: Some(own), .. }) = &entry.wait else {
            return false;
        };
        entry.state != StepState::Waiting && **own == *key
    })
}

impl Runs {
    /// The open callback of this path, to be completed by somebody whom the run's record will name.
    ///
    /// # Errors
    /// Of kind [`UnknownCallback`](ErrorKind::UnknownCallback): there is none. Also if the store cannot be reached or written.
    pub(crate) async fn complete_at(&self, run_id: &str, path: &str) -> Result<CallbackHandle> {
        self.get(run_id).await?;
        let journal = self.journal(run_id).await?;
        let mut open = open_callbacks(&journal);
        let entry = open.find(|entry| &*entry.path == path);
        let Some(recorded) = entry.and_then(Recorded::in_entry) else {
            let text = format!("no callback `{path}` of the run `{run_id}` is open");
            return Err(Error::new(ErrorKind::UnknownCallback, text));
        };
        self.note(run_id, &format!("complete {path}")).await?;
        Ok(self.callback(recorded.id))
    }
}
