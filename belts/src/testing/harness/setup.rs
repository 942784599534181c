//! What every life of a harness begins with.

use std::{sync::Arc, time::Duration};

use crate::{
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

impl Setup {
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
