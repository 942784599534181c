//! Which runs this process drives at the moment, so that it does not claim one of its own a second time; and what it does
//! about leases of which it may never have heard.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{RwLock, RwLockReadGuard};

use super::Shared;
use crate::{
    error::{Error, ErrorKind, Result},
    store::{Lease, Release},
};

/// The runs that are driven here.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// The leases of each run: two for a moment when one was lost and won again.
    leases: Mutex<HashMap<Arc<str>, Vec<Lease>>>,
    /// Held while a request is under way whose answer may bring leases.
    asking: RwLock<()>,
    /// Whether such a request failed, although the store may have done what it was asked; or a run was given up, although
    /// its lease may still hold.
    unheard: AtomicBool,
}

/// A run that is driven here, until this is dropped.
#[derive(Debug)]
pub(crate) struct Driving {
    worker: Arc<Shared>,
    run_id: Arc<str>,
    lease: Lease,
}

impl Driving {
    pub(crate) fn new(worker: &Arc<Shared>, run_id: &Arc<str>, lease: Lease) -> Self {
        let run_id = Arc::clone(run_id);
        worker.driven.change(|leases| {
            leases.entry(Arc::clone(&run_id)).or_default().push(lease);
        });
        Self {
            worker: Arc::clone(worker),
            run_id,
            lease,
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.worker.driven.change(|leases| {
            if let Some(of_run) = leases.get_mut(&self.run_id) {
                of_run.retain(|lease| *lease != self.lease);
                if of_run.is_empty() {
                    leases.remove(&self.run_id);
                }
            }
        });
    }
}

impl Driven {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Vec<Lease>>) -> T) -> T {
        change(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// To be held from before a request that may bring leases until its runs are driven.
    pub(crate) async fn asking(&self) -> RwLockReadGuard<'_, ()> {
        self.asking.read().await
    }

    /// Notes the failure of a request that may have leased runs.
    pub(crate) fn failed(&self, error: &Error) {
        // A session that the store does not know gets no leases.
        if error.kind() != ErrorKind::Busy {
            self.doubt();
        }
    }

    /// Notes that the store may lease a run to this worker that is not driven here.
    pub(crate) fn doubt(&self) {
        self.unheard.store(true, Ordering::Release);
    }
}

impl Shared {
    pub(crate) fn drives(&self, run_id: &str) -> bool {
        self.driven.change(|leases| leases.contains_key(run_id))
    }

    /// Gives back the runs that the store may have leased to this worker in a request that failed.
    ///
    /// To the store they would be in good hands for as long as the worker lives, and nobody would drive them.
    pub(crate) async fn give_back_unheard(&self) -> Result<()> {
        if !self.driven.unheard.load(Ordering::Acquire) {
            return Ok(());
        }
        // Once nobody asks any more, every lease that was heard of is driven.
        let alone = self.driven.asking.write().await;
        let Some(worker) = self.present_session() else {
            return Ok(());
        };
        let keep = self
            .driven
            .change(|leases| leases.values().flatten().copied().collect());
        let now = self.clock.now();
        let released = self.store.release(Release { worker, keep, now }).await?;
        self.driven.unheard.store(false, Ordering::Release);
        drop(alone);
        if released > 0 {
            tracing::warn!(
                runs = released,
                "the store had leased runs to this worker that it did not drive; they are due again"
            );
            self.due.notify_one();
        }
        Ok(())
    }
}
