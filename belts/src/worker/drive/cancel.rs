//! The event that cancels a run: a drive waits for it beside the function, and ends the run when it comes.

use super::driver::Drive;
use crate::{
    codec,
    live::{Listening, Outbox},
    store::{Entry, Transition},
    worker::ended::Ended,
};

impl Drive<'_> {
    /// Has the run hear of the event that cancels it, from the one that started it on; how the drive ends if it has come already.
    ///
    /// A run that has not waited for it yet records that first, and looks then: nothing of the function is evaluated before.
    pub(super) async fn listen_for_cancel(&self) -> Result<Option<Listening>, Ended> {
        // What was decided is not decided again.
        let types = self.function.cancel_types();
        let Some(types) = types.filter(|_| !self.run.is_undoing()) else {
            self.run.ignore_cancel_on();
            return Ok(None);
        };
        let key = self
            .function
            .cancel_key(&self.run.event_type, &self.run.payload);
        let entry = key.and_then(|key| self.run.cancel_on(types, &key));
        let listening = self.run.listen_for_cancel();
        if let Some(entry) = entry {
            self.open(entry).await?;
        }
        if self.run.is_cancelled() {
            return Err(self.cancel().await);
        }
        Ok(Some(listening))
    }

    async fn open(&self, entry: Entry) -> Result<(), Ended> {
        self.applied(self.write(Outbox::of(vec![entry]), None).await)
            .await?;
        self.look_briefly().await;
        Ok(())
    }

    /// Asks once more before a run ends: what was published before its function returned cancels it, though nobody has told yet.
    pub(super) async fn is_cancelled_after_all(&self) -> bool {
        if self.run.listens_for_cancel() && !self.run.is_cancelled() {
            self.look_briefly().await;
        }
        self.run.is_cancelled()
    }

    /// Ends the run as cancelled, with what its steps have left to be recorded.
    pub(super) async fn cancel(&self) -> Ended {
        let (error, outbox) = self.run.take_cancelled();
        let ids = self.run.ids();
        tracing::info!(function = ids.function, run = ids.run, reason = %error, "run cancelled");
        let transition = Transition::cancel(codec::envelope(&error));
        self.end(outbox, transition).await
    }
}
