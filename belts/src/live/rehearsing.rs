//! A run that is rehearsed: its function is replayed against its journal, to see whether it would go on with this code.
//!
//! What is recorded comes back at once, as it does when the run is resumed. What is not recorded never comes: no step begins, and
//! nothing is written.

use std::{future::pending, sync::Arc};

use super::{
    rehearsal::{Beginning, Rehearsal},
    run::LiveRun,
};
use crate::{
    clock::Timestamp,
    codec,
    error::Error,
    run::Decision,
    store::{Entry, StepKind, StepState, Wait},
};

impl LiveRun {
    /// The same run, to be rehearsed as it stands at this time.
    pub(crate) fn rehearsed(mut self, now: Timestamp) -> Self {
        self.rehearsal = Some(Box::new(Rehearsal::new(now)));
        self
    }

    /// Whether nothing of it is run or written.
    pub(crate) fn is_rehearsed(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Returns what the journal says of a step; never if its outcome is not recorded.
    pub(crate) async fn rehearse(
        &self,
        path: &Arc<str>,
        kind: StepKind,
        decision: Decision,
    ) -> Decision {
        if self.plays_on(path, kind, &decision) {
            return decision;
        }
        pending().await
    }

    /// Notes that the function has reached a step; whether it goes on from there.
    fn plays_on(&self, path: &Arc<str>, kind: StepKind, decision: &Decision) -> bool {
        let Some(rehearsal) = &self.rehearsal else {
            return true;
        };
        let mut played = rehearsal.played();
        if let Decision::Begin { .. } = decision {
            let type_name = played.types.get(path).copied();
            played.begins.push(Beginning {
                path: Arc::clone(path),
                kind,
                type_name,
            });
            return false;
        }
        played.reached.insert(Arc::clone(path));
        let Decision::Resume { due_at, .. } = decision else {
            return true;
        };
        // That a sleep is over is not recorded.
        if kind == StepKind::Sleep && *due_at <= rehearsal.now {
            return true;
        }
        played.goes_on_at.push(Arc::clone(path));
        // What it waits for is compared with the code. The arms of a race are what is replayed.
        kind.is_wait() || kind == StepKind::Race
    }

    /// Notes which type the result of a step has in the code; of a wait that of its event, and of a call the function.
    pub(crate) fn expect_type(&self, path: &Arc<str>, type_name: &'static str) {
        if let Some(rehearsal) = &self.rehearsal {
            let mut played = rehearsal.played();
            played.types.insert(Arc::clone(path), type_name);
        }
    }

    /// Notes that the code does not say how a recorded step is undone, if that was to be.
    pub(crate) fn miss_undo(&self, path: &Arc<str>) {
        let Some(rehearsal) = self.rehearsal.as_ref().filter(|_| !self.is_undoing()) else {
            return;
        };
        let is_missing = |entry: &Entry| entry.undoable && entry.state == StepState::Completed;
        if self.recorded_at(path).is_some_and(|it| is_missing(&it)) {
            rehearsal.played().misfits.push(format!(
                "the step `{path}` is to be undone if the run fails, and the code no longer says how: bring its `undo` back"
            ));
        }
    }

    /// Notes that the code does not ask what came of a step of which that is unknown.
    pub(crate) fn miss_unknown(&self, path: &Arc<str>) {
        let Some(rehearsal) = &self.rehearsal else {
            return;
        };
        let is_open = |entry: &Entry| {
            let begins = codec::begins(&entry.value).unwrap_or_default();
            entry.state == StepState::Waiting && begins.open
        };
        if self.recorded_at(path).is_some_and(|it| is_open(&it)) {
            rehearsal.played().misfits.push(format!(
                "the step `{path}` may have happened, and the code no longer asks: it would be done again; bring its `unknown` back until \
                 that is settled"
            ));
        }
    }

    /// Notes that a callback was made for another type than the code expects.
    pub(crate) fn compare_callback(&self, path: &str, recorded: &str, expected: &str) {
        if let Some(rehearsal) = &self.rehearsal
            && recorded != expected
        {
            rehearsal.played().notes.push(format!(
                "the callback `{path}` was made for a `{recorded}`, and the code expects a `{expected}`: an answer in the old form may not \
                 be read"
            ));
        }
    }

    /// Compares a wait that is open with what the code waits for there.
    pub(crate) fn compare_wait(
        &self,
        path: &Arc<str>,
        recorded: &Wait,
        (types, key): (&[&'static str], Option<&str>),
        (has_limit, was_limited): (bool, bool),
    ) {
        let Some(rehearsal) = &self.rehearsal else {
            return;
        };
        let mut played = rehearsal.played();
        let Wait::Event {
            types: recorded,
            key: recorded_key,
        } = recorded;
        let is_recorded = |name: &str| recorded.iter().any(|awaited| *awaited.event_type == *name);
        let mut unread = recorded
            .iter()
            .filter(|awaited| !types.contains(&&*awaited.event_type));
        if let Some(unread) = unread.next() {
            let (unread, wanted) = (&unread.event_type, types.join("` or `"));
            played.misfits.push(if types.iter().any(|name| is_recorded(name)) {
                format!(
                    "the wait `{path}` is also for `{unread}`, which the code no longer takes there: the run would fail when one comes; \
                     keep it in the union until these runs have gone on"
                )
            } else {
                format!(
                    "the wait `{path}` is for `{unread}`, and the code waits for `{wanted}` there, which the run would not hear of: give \
                     the new wait another key"
                )
            });
        } else if let Some(new) = types.iter().find(|name| !is_recorded(name)) {
            played.notes.push(format!(
                "the wait `{path}` was begun without `{new}`, and the run will not hear of one"
            ));
        }
        if recorded_key.as_deref() != key {
            played.misfits.push(format!(
                "the wait `{path}` was begun with another `key` than the code has, and the run goes on listening for that: give the new \
                 wait another name"
            ));
        }
        if has_limit && !was_limited {
            played.notes.push(format!(
                "the wait `{path}` was begun without a `timeout`, and the run will wait for as long as it takes"
            ));
        }
        if was_limited && !has_limit {
            played.misfits.push(format!(
                "the wait `{path}` was recorded with a `timeout`, and the code has none: the run would fail when it runs out; give it \
                 the `timeout` again"
            ));
        }
    }

    /// What ends a rehearsal from within, if anything has.
    pub(crate) fn take_end(&self) -> Option<Error> {
        self.take_violation()
    }
}
