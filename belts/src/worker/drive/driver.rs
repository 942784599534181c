//! What drives one run.

use std::sync::{Arc, OnceLock};

use super::watch::Watch;
use crate::{
    clock::Timestamp,
    error::Error,
    live::LiveRun,
    registry::Registered,
    run::RetryPolicy,
    store::{ClaimedRun, Lease},
    worker::Shared,
};

pub(super) struct Drive<'a> {
    pub(super) worker: &'a Arc<Shared>,
    pub(super) run: &'a Arc<LiveRun>,
    pub(super) function: &'a Registered,
    pub(super) lease: Lease,
    pub(super) policy: RetryPolicy,
    pub(super) claimed: &'a ClaimedRun,
    /// The step at which the run was asked to stop.
    pub(super) target: Option<Arc<str>>,
    /// When this drive has to hand the run on, where it is driven within a delivery.
    pub(super) deadline: Option<Timestamp>,
    /// Who may wake the function.
    pub(super) watch: Watch,
    /// Why the run failed for good.
    pub(super) failure: OnceLock<Error>,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        worker: &'a Arc<Shared>,
        run: &'a Arc<LiveRun>,
        function: &'a Registered,
        claimed: &'a ClaimedRun,
        target: Option<Arc<str>>,
    ) -> Self {
        let options = &function.options;
        Self {
            worker,
            run,
            function,
            lease: claimed.lease,
            policy: RetryPolicy::new(claimed.retries.or(options.retries), options.backoff),
            target,
            deadline: worker.hand_on_at(),
            watch: Watch::default(),
            failure: OnceLock::new(),
            claimed,
        }
    }
}
