//! Who waits in this process for runs, and for which of their steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{ended::Ended, targets::Targets};

type Senders = HashMap<Arc<str>, Vec<oneshot::Sender<Ended>>>;

/// Who waits in this process for runs, by run id.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    ends: Mutex<Senders>,
    pub(super) targets: Targets,
}

impl Waiters {
    fn ends(&self) -> MutexGuard<'_, Senders> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
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
}
