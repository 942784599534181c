//! Who changes runs: a log line and a note on the run, before anything changes.
//!
//! Before, since a client may disconnect before the response, and its request is dropped then.

use std::sync::Arc;

use super::Runs;
use crate::{error::Result, plain::Clean, store::Note};

/// The most characters of a name.
const LONGEST_NAME: usize = 200;

impl Runs {
    /// Names who makes the changes: for the log, and for the notes of the runs that are changed.
    ///
    /// Nobody checks the name. Control characters in it are escaped wherever it is shown, and at most 200 characters are kept.
    ///
    /// ```rust,standalone_crate
    /// # use belts::{Event, step, store::Memory};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Event)]
    /// # struct Paid { cents: u64 }
    /// # #[belts::function(id = "ship", on = Paid)]
    /// # async fn ship(paid: Paid) -> belts::Result<()> {
    /// #     step!("pack", async { Err::<(), _>(belts::terminal("no box is left")) }).await
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> belts::Result<()> {
    /// # let worker = belts::Worker::builder().store(Memory::new()).build().await?;
    /// # worker.execute(Paid { cents: 100 }).run_id("r-1").function("ship").await?;
    /// worker.runs().by("support desk, ada").rerun("r-1").await?;
    /// let note = &worker.runs().get("r-1").await?.notes[0];
    /// assert_eq!((&*note.by, &*note.action), ("support desk, ada", "rerun"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn by(mut self, who: impl AsRef<str>) -> Self {
        self.by = name(who.as_ref());
        self
    }

    /// Logs a change that is about to be made to a run.
    pub(super) async fn note(&self, run_id: &str, action: &str) -> Result<()> {
        let (by, action) = (&self.by, Clean(action));
        tracing::info!(run = %Clean(run_id), %action, by = %Clean(by), "a run was changed through inspection");
        self.note_quietly(run_id, &action.to_string()).await
    }

    /// Adds a note on a run about a change that is already in the log.
    pub(crate) async fn note_quietly(&self, run_id: &str, action: &str) -> Result<()> {
        let note = Note::new(self.clock.now(), Arc::clone(&self.by), action);
        // Whether the run exists becomes clear when it is changed.
        self.store.note(run_id, note).await.map(drop)
    }

    /// Logs a change that is about to be made to a function.
    pub(super) fn tell_of_function(&self, function: &str, action: &str) {
        let by = &self.by;
        tracing::info!(function = %Clean(function), action, by = %Clean(by), "a function was changed through inspection");
    }

    /// Logs a change that is about to be made to a schedule.
    pub(super) fn tell_of_schedule(&self, schedule: &str, action: &str) {
        let by = &self.by;
        tracing::info!(schedule = %Clean(schedule), action, by = %Clean(by), "a schedule was changed through inspection");
    }

    /// Logs a change that is about to be made to several runs.
    pub(crate) fn tell_of(&self, action: &str) {
        let by = &self.by;
        tracing::info!(action = %Clean(action), by = %Clean(by), "runs were changed through inspection");
    }
}

fn name(who: &str) -> Arc<str> {
    match who.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => who[..end].into(),
        None => who.into(),
    }
}
