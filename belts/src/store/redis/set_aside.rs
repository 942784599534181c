//! Runs that a claim brought and that cannot be read: they are set aside, so that they stop nobody.

use std::{sync::Arc, time::Duration};

use super::{Fault, Redis, reply, rows::lease_text, script};
use crate::{
    codec::envelope,
    error::{Error, Result},
    store::{Claimed, ClaimedRun, Lease, SetAside, Timestamp},
};

/// What a newer version may have written is left to it for so long.
const PUT_OFF: Duration = Duration::from_secs(60);

/// A run that is leased and cannot be read.
pub(super) struct Unreadable {
    lease: Lease,
    run_id: Arc<str>,
    function_id: Arc<str>,
    fault: Fault,
}

impl Unreadable {
    pub(super) fn new(run: ClaimedRun, fault: Fault) -> Self {
        Self {
            lease: run.lease,
            run_id: run.run_id,
            function_id: run.function_id,
            fault,
        }
    }

    /// When others may try, if a newer version of belts may be among them.
    fn due_at(&self, now: Timestamp) -> Option<Timestamp> {
        matches!(self.fault, Fault::Word(_)).then(|| now.after(PUT_OFF))
    }
}

impl Redis {
    /// Gives up the leases of runs that cannot be read, and of those that this has cancelled. If this fails, so does the claim, and the worker gives them back.
    pub(super) async fn set_aside(
        &self,
        now: Timestamp,
        unreadable: Vec<Unreadable>,
        claimed: &mut Claimed,
    ) -> Result<()> {
        let mut has_ended_others = false;
        for run in unreadable {
            let due_at = run.due_at(now).map(|due_at| due_at.as_millis().to_string());
            let reason: Arc<str> = run.fault.to_string().into();
            let error = Error::unreadable("the run cannot be read from the store");
            let error = envelope(&error.with_source(run.fault));
            let call = |_| {
                let mut call = self.call(&script::SET_ASIDE);
                call.arg(now.as_millis())
                    .arg(&self.inner.sender)
                    .arg(&self.inner.ttl)
                    .arg(run.lease.worker.0)
                    .arg(run.lease.run)
                    .arg(lease_text(&run.lease))
                    .arg(due_at.as_deref().unwrap_or_default())
                    .arg(&*error);
                call
            };
            // It told another run of its end, or ended others with it; or the answer was lost that would have said so.
            if self.read(reply::count(&self.run(call).await?))? != 1 {
                has_ended_others = true;
                self.wake();
            }
            claimed
                .set_aside
                .push(SetAside::new(run.run_id, run.function_id, reason));
        }
        if has_ended_others {
            let leases: Vec<Lease> = claimed.runs.iter().map(|run| run.lease).collect();
            let ended = self.revoked_of(&leases).await?;
            claimed.runs.retain(|run| !ended.contains(&run.lease));
        }
        Ok(())
    }
}
