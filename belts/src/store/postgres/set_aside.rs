//! Runs that a claim brought and that cannot be read: they are set aside, so that they stop nobody.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgBindIterExt as _;

use super::{database::Database, error::Fault, sql::Parameters};
use crate::{
    codec::envelope,
    error::Error,
    store::{Claim, ClaimedRun, Lease, SetAside, Timestamp},
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

    /// What stands on the run's record.
    fn error(&self) -> Arc<[u8]> {
        let error = Error::unreadable("the run cannot be read from the store");
        envelope(&error.with_source(self.fault.clone()))
    }
}

impl Database {
    /// Gives up the leases of runs that cannot be read. If this fails, so does the claim, and the worker gives them back.
    pub(super) async fn set_aside(
        &self,
        request: &Claim,
        mut unreadable: Vec<Unreadable>,
    ) -> Result<Vec<SetAside>, Fault> {
        if unreadable.is_empty() {
            return Ok(Vec::new());
        }
        // Locked in this order, as others do.
        unreadable.sort_unstable_by_key(|run| run.lease.run);
        let each = || unreadable.iter();
        let dues = each().map(|run| run.due_at(request.now).map(Timestamp::as_millis));
        let errors: Vec<_> = each().map(Unreadable::error).collect();
        let parameters = || {
            Parameters::default()
                .bind(request.capacity.worker.0)
                .bind(request.now.as_millis())
                .bind(each().map(|run| run.lease.run).bind_iter())
                .bind(each().map(|run| run.lease.token).bind_iter())
                .bind(dues.clone().bind_iter())
                .bind(errors.iter().map(|error| &**error).bind_iter())
        };
        // Those that fail take others along, and may meet whoever writes these.
        let told = self.again(|| self.row(&self.sql.set_aside, parameters()));
        let (told,): (bool,) = told.await?;
        self.show_ends(told, request.now).await;
        let set_aside = unreadable
            .into_iter()
            .map(|run| SetAside::new(run.run_id, run.function_id, run.fault.to_string()));
        Ok(set_aside.collect())
    }
}
