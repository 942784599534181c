//! Runs of which something is sealed that this process cannot open: they wait for one that can, or for the key. Nothing is recorded of
//! it, as of a store that cannot be read.

use std::sync::Arc;

use super::Shared;
use crate::{
    codec::sealed::{self, Closed},
    error::Result,
    plain::Clean,
    store::{Arrival, ClaimedRun, Lease},
};

impl Shared {
    /// Gives a run back of which something does not open; whether that is so.
    pub(super) fn leave_closed(self: &Arc<Self>, run: &ClaimedRun) -> bool {
        let Some(Closed { key, what }) = Closed::in_run(run) else {
            return false;
        };
        let pause = self.setbacks.gave_up(&run.run_id, false).pause;
        tracing::error!(
            function = %Clean(&run.function_id), run = %Clean(&run.run_id), what = %Clean(what), key, ?pause,
            "{}", self.why_closed(key)
        );
        self.metrics.closed.increment(1);
        self.give_back_later(&run.run_id, run.lease, pause);
        true
    }

    /// What has arrived for a run that is driven.
    pub(super) async fn opened_arrivals(&self, lease: Lease) -> Result<Vec<Arrival>> {
        let arrived = self.store.arrived(&[lease]).await?.into_iter();
        let arrivals: Vec<Arrival> = arrived.flat_map(|(_, arrivals)| arrivals).collect();
        match Closed::in_arrivals(&arrivals) {
            Some(closed) => Err(sealed::error(closed.key)),
            None => Ok(arrivals),
        }
    }

    fn why_closed(&self, key: &str) -> &'static str {
        #[cfg(feature = "encryption")]
        if let Some(encrypted) = &self.encrypted
            && encrypted.sealer().has(key)
        {
            return "a stored value does not open with the key of this id: the key is another one, or the value was changed or moved; \
                    the run waits";
        }
        let _ = key;
        "a stored value is sealed with a key that this process does not have; the run waits"
    }
}
