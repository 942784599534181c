//! How a run that was given up goes back to the store, to be due after a pause.

use std::{sync::Arc, time::Duration};

use super::{ended::Ended, shared::Shared};
use crate::{
    panic::catch_future,
    run::Backoff,
    store::{Commit, CommitBatch, Lease, Transition},
};

/// How long a worker waits between attempts to give a run back.
const STORE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

impl Shared {
    /// Gives a run back to the store as soon as the store works again; it is due after a pause.
    pub(super) fn give_back_later(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        lease: Lease,
        pause: Duration,
    ) {
        let (worker, run_id) = (Arc::clone(self), Arc::clone(run_id));
        let mut resting = self.rest(lease);
        self.loops.spawn(async move {
            let due_at = worker.clock.now().after(pause);
            for failed in 1.. {
                let next = worker.clock.now().after(STORE_BACKOFF.ceiling(failed));
                worker.clock.sleep_until(next).await;
                if worker.shutdown.is_over() {
                    return;
                }
                let now = worker.clock.now();
                let due_at = due_at.max(now);
                let commit = Commit::new(lease).with_transition(Transition::put_off(due_at));
                let commits = vec![commit];
                let given_back = worker.store.commit(CommitBatch { commits, now });
                // If the lease is gone, so is the need to give it back.
                if catch_future(given_back).await.is_ok() {
                    resting.given_back = true;
                    drop(resting);
                    worker.due.expect(due_at);
                    worker.tell(&run_id, &Ended::Suspended(Some(due_at)));
                    return;
                }
            }
        });
    }
}
