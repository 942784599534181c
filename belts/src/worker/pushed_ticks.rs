//! Ticks in push mode: the next one travels as a delayed message, as what is left of runs does.
//!
//! It is the wake-up of a run that there never is. Whoever gets it starts what is due and hands on the next one; so does every other
//! delivery, and a worker when it is built, for the case that a message was lost.

use std::sync::Arc;

use super::Shared;
use crate::{clock::Timestamp, error::Result};

/// In place of the id of a run.
pub(crate) const TICKS: &str = "belts.schedules";

impl Shared {
    /// In push mode, starts what is due, and hands on the next tick unless this worker has done so. A message that was to bring a
    /// tick says how often it was handed on before its time.
    pub(crate) async fn push_ticks(
        self: &Arc<Self>,
        brought: Option<(Timestamp, u32)>,
    ) -> Result<()> {
        if !self.hands_on() {
            return Ok(());
        }
        let Some(next) = self.look_for_ticks().await? else {
            return Ok(());
        };
        // A transport may not hold it until then.
        let hop = brought.filter(|(due_at, _)| *due_at == next);
        let hop = hop.map_or(0, |(_, hop)| hop.saturating_add(1));
        if hop == 0 && self.clockwork.handed_on() == Some(next) {
            return Ok(());
        }
        self.hand_on(&TICKS.into(), next, hop).await?;
        self.clockwork.hand_on(next);
        Ok(())
    }

    /// The same, where nobody is to suffer if it fails.
    pub(crate) async fn push_ticks_quietly(self: &Arc<Self>) {
        if let Err(error) = self.push_ticks(None).await {
            tracing::warn!(error = %error.report(), "could not hand on the next tick; the next delivery tries again");
        }
    }
}
