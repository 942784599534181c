//! Runs that cannot go on, since their function is paused; in push mode they are handed on once it is resumed.

use super::Shared;
#[cfg(feature = "http")]
use super::woken::Due;
use crate::{clock::Timestamp, error::Result, inspect::functions::paused_at};
#[cfg(feature = "http")]
use crate::{id::new_id, store::RunStatus};

impl Shared {
    /// Since when a function is paused. It is asked where a run could not be claimed, and so costs the others nothing.
    pub(crate) async fn paused_at(&self, function_id: &str) -> Result<Option<Timestamp>> {
        paused_at(&*self.store, self.clock.now(), function_id).await
    }

    /// In push mode, hands on the runs of a function that have fallen due while it was paused: the messages that were to resume them
    /// came to nothing.
    #[cfg(feature = "http")]
    pub(crate) async fn hand_on_due(&self, function_id: &str) -> Result<()> {
        // No transport may take these messages for those that came before.
        let resumed = new_id();
        let statuses = [RunStatus::Pending, RunStatus::Suspended, RunStatus::Undoing];
        let due = Due {
            function_id,
            statuses: &statuses,
            woken_by: None,
        };
        self.hand_on_what_is_due(due, &resumed).await
    }
}
