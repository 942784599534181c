//! Runs that cannot be read: they are set aside, so that they do not stop the others.
//!
//! JSON of a form that this version does not know may come from a newer one, whose workers can continue the run: it is postponed.
//! Anything else is broken for good: the run fails, and can be rerun.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use belts::{
    Error, Timestamp,
    codec::{Failure, encode_err},
    store::{RunStatus, SetAside, parts::Crashes},
};
use redb::ReadableTable as _;

use super::{fault::Fault, rows::Run, tables::Tables};

/// How long a run is postponed that a newer version may be able to read.
const POSTPONED: Duration = Duration::from_secs(60);

/// The function and the event type under which a run waits.
type Waits = (Arc<str>, Arc<str>);

impl Tables<'_> {
    /// Sets a run aside whose journal cannot be read.
    pub(crate) fn set_aside_journal(
        &mut self,
        number: i64,
        mut run: Run,
        error: &serde_json::Error,
        now: Timestamp,
    ) -> Result<SetAside, Fault> {
        let reason = reason(error);
        self.put_failure(number, &reason)?;
        if error.is_data() {
            run.due_at = run.due_at.map(|_| now.after(POSTPONED));
        } else {
            run.finish(RunStatus::Failed, now);
        }
        self.put_run(number, &run)?;
        Ok(SetAside::new(run.id, run.function_id, reason))
    }

    /// Sets a run aside whose own row cannot be read. The indexes say which run it is.
    pub(crate) fn set_aside_row(
        &mut self,
        number: i64,
        due_at: i64,
        error: &serde_json::Error,
        now: Timestamp,
    ) -> Result<Option<SetAside>, Fault> {
        let (Some((function_id, event_type)), Some(id)) =
            (self.waits_as(number, due_at)?, self.id_of(number)?)
        else {
            return Ok(None);
        };
        let reason = reason(error);
        self.remove_due(number, due_at)?;
        if error.is_data() {
            let later = now.after(POSTPONED).as_millis();
            self.due
                .insert((&*function_id, &*event_type, later, number), ())?;
        } else {
            let (event_id, published_at) = self.event_of(number)?.unwrap_or_default();
            let mut run = Run {
                id: Arc::clone(&id),
                function_id: Arc::clone(&function_id),
                event_id,
                event_type,
                published_at,
                status: RunStatus::Failed,
                due_at: None,
                worker: None,
                token: 0,
                failed_attempts: 0,
                retries: None,
                started_at: None,
                finished_at: None,
                deadlines: None,
                undoing: None,
                crashes: Crashes::default(),
                notes: Vec::new(),
                tags: BTreeSet::new(),
                build: None,
            };
            run.finish(RunStatus::Failed, now);
            self.put_failure(number, &reason)?;
            self.runs.remove(number)?;
            self.put_run(number, &run)?;
        }
        Ok(Some(SetAside::new(id, function_id, reason)))
    }

    /// Takes a run out of the index of those that wait.
    pub(crate) fn remove_due(&mut self, number: i64, due_at: i64) -> Result<(), Fault> {
        if let Some((function, event_type)) = self.waits_as(number, due_at)? {
            self.due
                .remove((&*function, &*event_type, due_at, number))?;
        }
        Ok(())
    }

    /// The function and event type of a run that waits, as the index has them.
    fn waits_as(&self, number: i64, due_at: i64) -> Result<Option<Waits>, Fault> {
        for function in self.waiting_functions()? {
            for event_type in self.waiting_types(&function)? {
                let key = (&*function, &*event_type, due_at, number);
                if self.due.get(key)?.is_some() {
                    return Ok(Some((function, event_type)));
                }
            }
        }
        Ok(None)
    }

    fn id_of(&self, number: i64) -> Result<Option<Arc<str>>, Fault> {
        for row in self.run_ids.iter()? {
            let (id, of) = row?;
            if of.value() == number {
                return Ok(Some(id.value().into()));
            }
        }
        Ok(None)
    }

    fn put_failure(&mut self, number: i64, reason: &str) -> Result<(), Fault> {
        self.put_result(
            number,
            &encode_err(&Failure::of(&Error::unreadable(reason))),
        )
    }
}

fn reason(error: &serde_json::Error) -> String {
    format!("the run cannot be read, since a row is not what it should be: {error}")
}
