//! How a run that is driven hears of the event that cancels it.

use std::sync::{Arc, atomic::Ordering};

use super::{outbox::Outbox, run::LiveRun, state::State, waits::behind};
use crate::{
    error::{Error, ErrorKind},
    plain::plain,
    run::cancel_on,
    store::Entry,
};

/// A run that listens for the event that cancels it, until this is dropped.
#[derive(Debug)]
pub(crate) struct Listening(Arc<LiveRun>);

impl Drop for Listening {
    fn drop(&mut self) {
        let host = &self.0.host;
        host.open_waits.fetch_sub(1, Ordering::AcqRel);
        self.0.state().waits.listens = false;
    }
}

impl LiveRun {
    /// Has the run hear of the event that cancels it.
    pub(crate) fn listen_for_cancel(self: &Arc<Self>) -> Listening {
        self.host.open_waits.fetch_add(1, Ordering::AcqRel);
        let mut state = self.state();
        state.waits.listens = true;
        self.note_cancel(&mut state);
        drop(state);
        Listening(Arc::clone(self))
    }

    /// Notes whether the event that cancels the run has come.
    pub(super) fn note_cancel(&self, state: &mut State) {
        if state.waits.listens && !state.waits.cancelled_by.is_empty() {
            self.cancelled.store(true, Ordering::Release);
            state.wake_driver();
        }
    }

    /// Whether it listens for the event that cancels it.
    pub(crate) fn listens_for_cancel(&self) -> bool {
        self.state().waits.listens
    }

    /// Whether the event has come that cancels the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// The function has no `cancel_on`. If it had one when the run was driven before, what comes for that is passed over.
    pub(crate) fn ignore_cancel_on(&self) {
        let mut state = self.state();
        if let Some(seq) = state.waits.cancel_on.take() {
            state.waits.left.insert(seq);
            let arrivals = std::mem::take(&mut state.waits.cancelled_by);
            state.waits.bring(arrivals.into());
        }
    }

    /// The wait for an event of these types with this key, if it is to be recorded. What has come for the one that is there counts
    /// no more then.
    pub(crate) fn cancel_on<'a>(
        &self,
        types: impl Iterator<Item = &'a str>,
        key: &str,
    ) -> Option<Entry> {
        let now = self.host.clock.now();
        let mut state = self.state();
        let State { waits, journal, .. } = &mut *state;
        let mut seq = None;
        let present = journal.cancel_on().cloned();
        let new_seq = || *seq.insert(journal.take_seq());
        let entry = cancel_on(present.as_ref(), types, key, now, new_seq)?;
        waits.cancel_on = Some(entry.seq);
        waits.cancelled_by.clear();
        waits.note(&entry);
        Some(entry)
    }

    /// What cancelled the run, and all that is left to be recorded of it. Its wait looks on behind what has come, so that a rerun is
    /// not cancelled by the same event.
    pub(crate) fn take_cancelled(&self) -> (Error, Outbox) {
        let mut state = self.state();
        let mut outbox = std::mem::take(&mut state.outbox);
        let State { waits, journal, .. } = &mut *state;
        let entry = waits.cancel_on.and_then(|seq| waits.entry(seq, journal));
        let moved = entry.and_then(|entry| behind(entry, &waits.cancelled_by));
        outbox.entries.extend(moved);
        let text = match waits.cancelled_by.front() {
            Some(event) => format!(
                "cancelled by event `{}` (id {})",
                plain(&event.event_type),
                plain(&event.event_id)
            ),
            None => "cancelled by an event".to_owned(),
        };
        (Error::new(ErrorKind::Cancelled, text), outbox)
    }
}
