//! Races in a journal that are decided, and what of theirs has lost.

use std::sync::Arc;

#[cfg(feature = "http")]
use crate::store::StepState;
use crate::{
    run::{is_under, join},
    store::{Entry, StepKind},
};

/// A race that is decided.
pub(super) struct Decided<'a> {
    race: &'a Entry,
    winner: Arc<str>,
}

impl<'a> Decided<'a> {
    pub(super) fn all(journal: &'a [Entry]) -> Vec<Self> {
        let races = journal.iter().filter(|entry| entry.kind == StepKind::Race);
        let decided = races.filter_map(|race| {
            let name: String = serde_json::from_str(race.output()?.get()).ok()?;
            let winner = join(Some(&race.path), &name);
            Some(Self { race, winner })
        });
        decided.collect()
    }

    /// Whether a path is in an arm that has lost.
    pub(super) fn has_beaten(&self, path: &str) -> bool {
        is_under(path, &self.race.path) && !is_under(path, &self.winner)
    }

    /// Whether an entry is of another arm, and was not over when the race was.
    #[cfg(feature = "http")]
    pub(super) fn has_left(&self, entry: &Entry) -> bool {
        let race = self.race;
        let has_lost = self.has_beaten(&entry.path);
        // The write that names the winner closes the waits of the others.
        let is_closed = entry.kind.is_wait()
            && entry.finished_at == race.finished_at
            && entry.output().is_some_and(|output| output.get() == "null");
        has_lost && (entry.state == StepState::Waiting || is_closed)
    }
}
