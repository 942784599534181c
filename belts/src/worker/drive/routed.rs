//! What becomes of a drive whose run the flow options of its function do not let start.

use super::driver::Drive;
use crate::{
    error::Result,
    plain::Clean,
    store::{Routed, Skipped},
    worker::ended::Ended,
};

impl Drive<'_> {
    /// How the drive ends by what flow options made of the run, if it does.
    pub(super) fn routed(&self, routed: &Result<Routed>) -> Option<Ended> {
        let ids = self.run.ids();
        match routed {
            Ok(Routed::Starts) | Err(_) => None,
            Ok(Routed::LeaseLost) => Some(self.lease_lost()),
            Ok(Routed::Waits { until }) => {
                if let Some(until) = until {
                    self.worker.due.expect(*until);
                }
                Some(Ended::Suspended(*until))
            }
            Ok(Routed::Skipped(Skipped { by, run_id })) => {
                let instead = run_id
                    .as_deref()
                    .map(|run| tracing::field::display(Clean(run)));
                tracing::info!(
                    function = ids.function,
                    run = ids.run,
                    by = by.as_str(),
                    instead,
                    "run skipped by a flow option"
                );
                Some(Ended::Cancelled)
            }
            Ok(Routed::Joined { run_id }) => {
                tracing::debug!(
                    function = ids.function, run = ids.run, into = %Clean(run_id), "the event is now one of another run"
                );
                Some(Ended::Skipped)
            }
        }
    }
}
