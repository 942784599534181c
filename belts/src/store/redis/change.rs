//! What people do to runs: cancel, rerun, note, purge.

use super::{
    Fault, Redis,
    reply::{self, Row},
    rows, script,
};
use crate::{
    error::Result,
    store::{Note, Purged, Rerun, Timestamp, parts::new_id},
};

/// The most runs that one call removes: others wait meanwhile.
const PURGE_BATCH: usize = 100;
/// The most events that started nothing that one call removes.
const PURGE_EVENTS: usize = 500;

impl Redis {
    pub(super) async fn cancel_run(&self, run: &str, now: Timestamp) -> Result<bool> {
        // By its ticket a call that is sent again knows what it has done before.
        let ticket = new_id();
        let answer = self.run(|_| {
            let mut call = self.call(&script::CANCEL);
            call.arg(now.as_millis())
                .arg(&self.inner.sender)
                .arg(&*ticket)
                .arg(&self.inner.ttl)
                .arg(run);
            call
        });
        let is_cancelled = self.read(reply::count(&answer.await?))? > 0;
        if is_cancelled {
            self.wake();
        }
        Ok(is_cancelled)
    }

    pub(super) async fn rerun_run(&self, request: &Rerun) -> Result<bool> {
        let Rerun {
            run_id,
            from,
            reopen,
            undone,
            now,
        } = request;
        let ticket = new_id();
        let answer = self.run(|_| {
            let mut call = self.call(&script::RERUN);
            call.arg(now.as_millis())
                .arg(&self.inner.sender)
                .arg(&*ticket)
                .arg(&**run_id)
                .optional(from.map(|seq| seq.to_string()).as_deref());
            for seq in reopen {
                call.arg(seq);
            }
            for seq in undone {
                call.arg(format!("u{seq}"));
            }
            call
        });
        let is_due = self.read(reply::count(&answer.await?))? > 0;
        if is_due {
            self.wake();
        }
        Ok(is_due)
    }

    pub(super) async fn keep_note(&self, run: &str, note: &Note) -> Result<bool> {
        let text = rows::encode_note(note);
        let answer = self.run(|resent| {
            let mut call = self.call(&script::NOTE);
            call.arg(run).arg(&text).arg(Note::MOST).flag(resent);
            call
        });
        Ok(self.read(reply::count(&answer.await?))? > 0)
    }

    pub(super) async fn purge_runs(&self, before: Timestamp, limit: usize) -> Result<Purged> {
        let mut purged = Purged::default();
        loop {
            let (runs, events) = (limit - purged.runs, limit - purged.events);
            let answer = self.run(|_| {
                let mut call = self.call(&script::PURGE);
                call.arg(before.as_millis())
                    .arg(runs.min(PURGE_BATCH))
                    .arg(events.min(PURGE_EVENTS));
                call
            });
            let [more_runs, more_events] = self.read(purge(answer.await?, &mut purged))?;
            purged.more = more_runs || more_events;
            let goes_on =
                (more_runs && purged.runs < limit) || (more_events && purged.events < limit);
            if !goes_on {
                return Ok(purged);
            }
        }
    }
}

/// Adds what a call has removed; whether more runs are left, and more events.
fn purge(answer: redis::Value, purged: &mut Purged) -> Result<[bool; 2], Fault> {
    let mut row = Row::of(answer)?;
    purged.runs += reply::count(&row.value())?;
    purged.events += reply::count(&row.value())?;
    let left = [reply::count(&row.value())?, reply::count(&row.value())?];
    Ok(left.map(|count| count > 0))
}
