//! Who waits in this process for runs, and for which of their steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::ended::Ended;

type Senders = HashMap<Arc<str>, Vec<oneshot::Sender<Ended>>>;
type Targets = HashMap<Arc<str>, Arc<str>>;

/// Who waits in this process for runs, by run id.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    ends: Mutex<Senders>,
    /// The step after which a run stops, where its caller asked for that.
    targets: Mutex<Targets>,
}

impl Waiters {
    fn ends(&self) -> MutexGuard<'_, Senders> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn targets(&self) -> MutexGuard<'_, Targets> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives the next end of a drive of this run.
    pub(super) fn add(&self, run_id: &Arc<str>) -> oneshot::Receiver<Ended> {
        let (sender, receiver) = oneshot::channel();
        let run_id = Arc::clone(run_id);
        self.ends().entry(run_id).or_default().push(sender);
        receiver
    }

    /// Tells all who wait for this run.
    pub(super) fn tell(&self, run_id: &str, ended: &Ended) {
        let waiting = self.ends().remove(run_id);
        for sender in waiting.into_iter().flatten() {
            let _ = sender.send(ended.clone());
        }
    }

    /// Removes those who no longer wait for this run.
    pub(super) fn remove_closed(&self, run_id: &str) {
        let mut waiting = self.ends();
        if let Some(senders) = waiting.get_mut(run_id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(run_id);
            }
        }
    }

    /// How many runs are waited for.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.ends().len()
    }

    pub(super) fn set_target(&self, run_id: &Arc<str>, step: Arc<str>) {
        self.targets().insert(Arc::clone(run_id), step);
    }

    pub(super) fn clear_target(&self, run_id: &str) {
        self.targets().remove(run_id);
    }

    pub(super) fn target_of(&self, run_id: &str) -> Option<Arc<str>> {
        self.targets().get(run_id).cloned()
    }
}
