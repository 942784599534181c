//! The functions of a store: which there are, their pauses, and the end of those that nobody has.

use super::{
    Fault, Redis,
    publish::most,
    reply::{self, Row},
    script,
};
use crate::{
    error::{Error, Result},
    store::{FunctionRecord, Purged, Timestamp},
};

/// The most runs that one call cancels: others wait meanwhile.
const BATCH: usize = 200;

impl Redis {
    pub(super) async fn read_functions(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<FunctionRecord>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::FUNCTIONS);
            call.arg(now.as_millis()).arg(most(limit));
            call
        });
        let answer = answer.await?;
        self.read(functions(answer))
    }

    pub(super) async fn pause_function(&self, function: &str, now: Timestamp) -> Result<bool> {
        let answer = self.run(|resent| {
            let mut call = self.call(&script::PAUSE);
            call.arg(now.as_millis()).arg(function).flag(resent);
            call
        });
        Ok(self.read(reply::count(&answer.await?))? > 0)
    }

    pub(super) async fn resume_function(&self, function: &str) -> Result<bool> {
        let answer = self.run(|resent| {
            let mut call = self.call(&script::RESUME);
            call.arg(&self.inner.sender).arg(function).flag(resent);
            call
        });
        let resumed = self.read(reply::count(&answer.await?))? > 0;
        if resumed {
            self.wake();
        }
        Ok(resumed)
    }

    pub(super) async fn forget_function(
        &self,
        function: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Purged> {
        let mut purged = Purged::default();
        loop {
            let batch = BATCH.min(limit - purged.runs);
            let answer = self.run(|_| {
                let mut call = self.call(&script::FORGET);
                call.arg(now.as_millis())
                    .arg(&self.inner.sender)
                    .arg(&self.inner.ttl)
                    .arg(function)
                    .arg(batch);
                call
            });
            let redis::Value::Array(counts) = answer.await? else {
                return Err(Error::function_in_use(function));
            };
            let counts: Result<Vec<_>, _> = counts.iter().map(reply::count).collect();
            if let [cancelled, more] = *self.read(counts)? {
                purged.runs += cancelled;
                purged.more = more > 0;
            }
            if !purged.more || purged.runs >= limit {
                self.wake();
                return Ok(purged);
            }
        }
    }
}

fn functions(answer: redis::Value) -> Result<Vec<FunctionRecord>, Fault> {
    let mut row = Row::of(answer)?;
    let mut all = Vec::new();
    while !row.is_empty() {
        let mut function = row.row()?;
        let function_id = function.text()?;
        let mut types = function.row()?;
        let mut event_types = Vec::new();
        while !types.is_empty() {
            event_types.push(types.text()?);
        }
        event_types.sort_unstable();
        all.push(
            FunctionRecord::new(function_id)
                .with_event_types(event_types)
                .with_living(reply::count(&function.value())? > 0)
                .with_unfinished(reply::count(&function.value())?)
                .with_paused_at(function.time()?),
        );
    }
    all.sort_unstable_by(|a, b| a.function_id.cmp(&b.function_id));
    Ok(all)
}
