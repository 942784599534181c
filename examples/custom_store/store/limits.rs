//! Runs whose time is limited.

use std::sync::Arc;

use belts::{
    Timestamp,
    store::{
        Expired, Limits, Register, RunStatus,
        parts::{Deadlines, limits_since},
    },
};
use redb::ReadableTable as _;

use super::{
    fault::Fault,
    rows::{decode, encode},
    tables::Tables,
};

impl Tables<'_> {
    /// Keeps how much time runs of a new session's functions have, and whose cancels are handled.
    pub(crate) fn limit(&mut self, request: &Register) -> Result<(), Fault> {
        for wanted in &request.subscriptions {
            let function = &*wanted.function_id;
            match request.limits_of(function) {
                Some(limits) => self.limits.insert(function, &*encode(limits)?)?,
                None => self.limits.remove(function)?,
            };
            if request.cancel_handled.iter().any(|one| **one == *function) {
                self.cancel_handled.insert(function, ())?;
            } else {
                self.cancel_handled.remove(function)?;
            }
        }
        Ok(())
    }

    /// The times of a new run, if its function has limits.
    pub(crate) fn deadlines(
        &self,
        function: &str,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Deadlines>, Fault> {
        let Some(row) = self.limits.get(function)? else {
            return Ok(None);
        };
        let limits: Limits = decode(row.value())?;
        let since = limits_since(due_at, now, self.seen()?);
        Ok(Some(Deadlines::new(&limits, since)))
    }

    /// Ends runs whose time is over.
    pub(crate) fn expire(&mut self, now: Timestamp, most: usize) -> Result<Expired, Fault> {
        let mut ended: Vec<Arc<str>> = Vec::new();
        let next = loop {
            let first = self.times.first()?.map(|(key, _)| key.value());
            let Some((millis, number)) = first else {
                break None;
            };
            let over_at = Timestamp::from_millis(millis);
            if over_at > now || ended.len() >= most {
                break Some(over_at);
            }
            let run = self.readable_run(number)?;
            let Some(mut run) = run.filter(|run| run.over_at() == Some(over_at)) else {
                // It cannot be read, or was set aside.
                self.times.remove((millis, number))?;
                continue;
            };
            if let Some(deadlines) = run.deadlines {
                let cause = deadlines.cause(run.started_at.is_some(), now);
                self.put_result(number, &cause)?;
            }
            self.stop(number, &mut run, RunStatus::Cancelled, now)?;
            self.put_run(number, &run)?;
            ended.push(run.id);
        };
        self.wakes |= !ended.is_empty();
        Ok(Expired::new(ended).with_next(next, now))
    }
}
