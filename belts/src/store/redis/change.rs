//! What people do to runs: cancel, rerun, purge.

use super::{Redis, reply, script};
use crate::{
    error::Result,
    store::{Timestamp, new_id},
};

/// The most runs that one call removes: others wait meanwhile.
const PURGE_BATCH: usize = 100;

impl Redis {
    pub(super) async fn cancel_run(&self, run: &str, now: Timestamp) -> Result<bool> {
        // By its ticket a call that is sent again knows what it has done before.
        let ticket = new_id();
        let answer = self.run(|_| {
            let mut call = self.call(&script::CANCEL);
            call.arg(now.as_millis())
                .arg(&*ticket)
                .arg(&self.inner.ttl)
                .arg(run);
            call
        });
        Ok(self.read(reply::count(&answer.await?))? > 0)
    }

    pub(super) async fn rerun_run(
        &self,
        run: &str,
        from: Option<u32>,
        now: Timestamp,
    ) -> Result<bool> {
        let ticket = new_id();
        let answer = self.run(|_| {
            let mut call = self.call(&script::RERUN);
            call.arg(now.as_millis())
                .arg(&self.inner.sender)
                .arg(&*ticket)
                .arg(run)
                .optional(from.map(|seq| seq.to_string()).as_deref());
            call
        });
        let is_due = self.read(reply::count(&answer.await?))? > 0;
        if is_due {
            self.wake();
        }
        Ok(is_due)
    }

    pub(super) async fn purge_runs(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let mut removed = 0;
        while removed < limit {
            let most = PURGE_BATCH.min(limit - removed);
            let answer = self.run(|_| {
                let mut call = self.call(&script::PURGE);
                call.arg(before.as_millis()).arg(most);
                call
            });
            let count = self.read(reply::count(&answer.await?))?;
            removed += count;
            if count < most {
                break;
            }
        }
        Ok(removed)
    }
}
