//! What every life of a harness begins with.

use std::{sync::Arc, time::Duration};

use crate::{
    error::Result,
    store::SharedStore,
    testing::{ManualClock, Probe, Reopen},
    worker::WorkerBuilder,
};

/// What survives crashes.
pub(super) struct Setup {
    pub(super) place: Box<dyn Reopen>,
    pub(super) clock: ManualClock,
    pub(super) change: Arc<dyn Fn(WorkerBuilder) -> WorkerBuilder + Send + Sync>,
    pub(super) probe: Arc<Probe>,
}

/// A store that was opened for one life.
pub(super) struct Opened {
    pub(super) store: SharedStore,
    /// The same, if the worker's settings have it encrypted.
    #[cfg(feature = "encryption")]
    pub(super) encrypted: Option<crate::store::Encrypted>,
}

impl Setup {
    /// Opens the store. What a test reads and what faults count is inside of the encryption, as a worker sees it.
    pub(super) async fn open(&self) -> Result<Opened> {
        let store = self.place.open().await?;
        #[cfg(feature = "encryption")]
        if let Some(keys) = self.worker().encryption.keys {
            let encrypted = crate::store::Encrypted::new(store, &keys)?;
            return Ok(Opened {
                store: Arc::new(encrypted.clone()),
                encrypted: Some(encrypted),
            });
        }
        Ok(Opened {
            store,
            #[cfg(feature = "encryption")]
            encrypted: None,
        })
    }

    /// The worker's settings in every life.
    pub(super) fn worker(&self) -> WorkerBuilder {
        // Time jumps here, and a lease that ended in such a jump would only get in the way. The name lets the next life
        // take over what this one leaves.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        let worker = WorkerBuilder::default()
            .clock(self.clock.clone())
            .name("harness")
            .lease(CENTURY)
            .jitter(|| 1.0);
        let mut worker = (self.change)(worker);
        worker.probe = Some(Arc::clone(&self.probe));
        worker
    }
}
