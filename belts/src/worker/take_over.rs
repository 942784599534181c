//! Taking over a run by its name, which another drive or another worker may have.

use std::sync::Arc;

use super::shared::Shared;
use crate::{
    error::{Error, ErrorKind, Result},
    store::RunRecord,
};

pub(super) fn busy(run_id: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("the run `{run_id}` is already being driven; try again later"),
    )
}

impl Shared {
    /// Waits for a drive that has stopped its run in the store and is about to end: it goes no further, and counts as
    /// one that drives the run until it has left.
    pub(super) async fn leave(self: &Arc<Self>, run_id: &Arc<str>) {
        let ended = self.listen(run_id);
        if self.drives(run_id) {
            tokio::select! {
                _ = ended => {}
                // A drive that the end of the worker cuts off tells nobody.
                () = self.shutdown.begun() => {}
            }
        }
    }

    /// Claims a run by name, unless it is driven here already; whether it is now.
    pub(super) async fn claim_unless_driven(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &str,
    ) -> Result<bool> {
        match self.registry.index(function_id) {
            _ if self.drives(run_id) => Ok(true),
            Some(index) => self.claim_run(run_id, index).await,
            None => Ok(false),
        }
    }

    pub(super) async fn is_elsewhere(&self, run_id: &str) -> Result<bool> {
        let record = self.store.run(run_id).await?;
        Ok(record.as_ref().is_some_and(RunRecord::is_driven) && !self.drives(run_id))
    }

    /// Takes a run over whose worker has died; an error of kind `Busy` if its worker lives elsewhere.
    pub(super) async fn take_over(
        self: &Arc<Self>,
        run_id: &Arc<str>,
        function_id: &str,
    ) -> Result<()> {
        if self.is_elsewhere(run_id).await?
            && !self.claim_unless_driven(run_id, function_id).await?
            && self.is_elsewhere(run_id).await?
        {
            return Err(busy(run_id));
        }
        Ok(())
    }
}
