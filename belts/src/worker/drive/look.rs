//! Asking the store what has arrived for a run that is driven, beside whatever else the run does.

use std::{future::Future, pin::Pin};

use super::driver::Drive;
use crate::worker::wait::FIRST_PAUSE;

/// A look under way; its answer goes to the run.
pub(super) type Look<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// How often a store is asked that cannot answer, where the drive waits for it.
const TRIES: u32 = 5;

impl<'a> Drive<'a> {
    /// Asks the store until it answers. Steps under way do not suffer from a store that does not.
    pub(super) fn look_for_arrivals(&self) -> Look<'a> {
        self.look(u32::MAX)
    }

    /// Asks the store a few times: a run that ends does not hang on a store that can never answer for it.
    pub(super) fn look_briefly(&self) -> Look<'a> {
        self.look(TRIES)
    }

    #[expect(clippy::disallowed_methods, reason = "the worker's own pause")]
    fn look(&self, tries: u32) -> Look<'a> {
        let (worker, run, lease) = (self.worker, self.run, self.lease);
        let look = run.begin_look();
        Box::pin(async move {
            let mut pause = FIRST_PAUSE;
            for times in 1_u32.. {
                match worker.opened_arrivals(lease).await {
                    Ok(arrivals) => {
                        run.bring(arrivals);
                        return run.answered(look);
                    }
                    Err(error) => {
                        let ids = run.ids();
                        tracing::warn!(
                            function = ids.function, run = ids.run, error = %error.report(),
                            "the store could not say what has arrived for the run; asking again"
                        );
                    }
                }
                if times >= tries {
                    return run.answered(look);
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(worker.options().sweep);
            }
        })
    }
}
