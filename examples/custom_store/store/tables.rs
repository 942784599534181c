//! The tables of the file, and the few moves that keep its indexes true.

use std::sync::Arc;

use belts::{
    Timestamp,
    store::{Entry, RunStatus, WorkerId, parts::progress},
};
use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};

use super::{
    fault::Fault,
    rows::{Event, Run, Session, Step, decode, encode},
};

/// A step without its value, and its value.
type StepRow = (&'static [u8], &'static [u8]);

const COUNTERS: TableDefinition<'_, &str, i64> = TableDefinition::new("counters");
const SESSIONS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("sessions");
const EVENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("events");
const PAYLOADS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("payloads");
const IDLE: TableDefinition<'_, (i64, &str), ()> = TableDefinition::new("idle");
const RUNS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("runs");
const RUN_IDS: TableDefinition<'_, &str, i64> = TableDefinition::new("run_ids");
const RESULTS: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("results");
const STEPS: TableDefinition<'_, (i64, u32), StepRow> = TableDefinition::new("steps");
const DUE: TableDefinition<'_, (&str, &str, i64, i64), ()> = TableDefinition::new("due");
const HELD: TableDefinition<'_, (i64, i64), ()> = TableDefinition::new("held");
const PAUSED: TableDefinition<'_, &str, i64> = TableDefinition::new("paused");
const FINISHED: TableDefinition<'_, (i64, i64), ()> = TableDefinition::new("finished");
const LIMITS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("limits");
const CANCEL_HANDLED: TableDefinition<'_, &str, ()> = TableDefinition::new("cancel_handled");
const TIMES: TableDefinition<'_, (i64, i64), ()> = TableDefinition::new("times");

/// The tables within one transaction.
#[derive(Debug)]
pub(crate) struct Tables<'t> {
    counters: Table<'t, &'static str, i64>,
    sessions: Table<'t, i64, &'static [u8]>,
    events: Table<'t, &'static str, &'static [u8]>,
    payloads: Table<'t, &'static str, &'static [u8]>,
    /// Events that have no runs, by the time of their publishing.
    pub(crate) idle: Table<'t, (i64, &'static str), ()>,
    pub(crate) runs: Table<'t, i64, &'static [u8]>,
    pub(crate) run_ids: Table<'t, &'static str, i64>,
    pub(crate) results: Table<'t, i64, &'static [u8]>,
    pub(crate) steps: Table<'t, (i64, u32), StepRow>,
    /// Runs that wait, by function, event type and time.
    pub(crate) due: Table<'t, (&'static str, &'static str, i64, i64), ()>,
    /// Runs that are leased, by session.
    held: Table<'t, (i64, i64), ()>,
    /// Runs that are over, by their end.
    pub(crate) finished: Table<'t, (i64, i64), ()>,
    /// Since when functions are paused.
    pub(crate) paused: Table<'t, &'static str, i64>,
    /// How much time the runs of functions have.
    pub(crate) limits: Table<'t, &'static str, &'static [u8]>,
    /// The functions whose cancels are handled.
    pub(crate) cancel_handled: Table<'t, &'static str, ()>,
    /// When the time of runs is over that have not finished.
    pub(crate) times: Table<'t, (i64, i64), ()>,
    /// Whether the transaction made a run due that others may wait for.
    pub(crate) wakes: bool,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            counters: transaction.open_table(COUNTERS)?,
            sessions: transaction.open_table(SESSIONS)?,
            events: transaction.open_table(EVENTS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            idle: transaction.open_table(IDLE)?,
            runs: transaction.open_table(RUNS)?,
            run_ids: transaction.open_table(RUN_IDS)?,
            results: transaction.open_table(RESULTS)?,
            steps: transaction.open_table(STEPS)?,
            due: transaction.open_table(DUE)?,
            held: transaction.open_table(HELD)?,
            finished: transaction.open_table(FINISHED)?,
            paused: transaction.open_table(PAUSED)?,
            limits: transaction.open_table(LIMITS)?,
            cancel_handled: transaction.open_table(CANCEL_HANDLED)?,
            times: transaction.open_table(TIMES)?,
            wakes: false,
        })
    }
}

impl Tables<'_> {
    pub(crate) fn counter(&self, name: &str) -> Result<Option<i64>, Fault> {
        Ok(self.counters.get(name)?.map(|number| number.value()))
    }

    pub(crate) fn set_counter(&mut self, name: &str, number: i64) -> Result<(), Fault> {
        self.counters.insert(name, number)?;
        Ok(())
    }

    /// A number that was not given before. Numbers never come again, so that no old lease fits a new run.
    pub(crate) fn next(&mut self, name: &str) -> Result<i64, Fault> {
        let number = self.counter(name)?.unwrap_or(0) + 1;
        self.set_counter(name, number)?;
        Ok(number)
    }

    pub(crate) fn is_paused(&self, function: &str) -> Result<bool, Fault> {
        Ok(self.paused.get(function)?.is_some())
    }

    pub(crate) fn session(&self, worker: WorkerId) -> Result<Option<Session>, Fault> {
        let row = self.sessions.get(worker.0)?;
        row.map(|row| decode(row.value())).transpose()
    }

    /// Every session, the oldest first.
    pub(crate) fn sessions(&self) -> Result<Vec<(WorkerId, Session)>, Fault> {
        let mut sessions = Vec::new();
        for row in self.sessions.iter()? {
            let (worker, session) = row?;
            sessions.push((WorkerId(worker.value()), decode(session.value())?));
        }
        Ok(sessions)
    }

    pub(crate) fn put_session(&mut self, worker: WorkerId, session: &Session) -> Result<(), Fault> {
        self.sessions.insert(worker.0, &*encode(session)?)?;
        Ok(())
    }

    pub(crate) fn remove_session(&mut self, worker: WorkerId) -> Result<(), Fault> {
        self.sessions.remove(worker.0)?;
        Ok(())
    }

    /// The runs that a session holds.
    pub(crate) fn held_by(&self, worker: WorkerId) -> Result<Vec<i64>, Fault> {
        let held = self
            .held
            .range((worker.0, i64::MIN)..=(worker.0, i64::MAX))?;
        held.map(|row| Ok(row?.0.value().1)).collect()
    }

    pub(crate) fn event(&self, id: &str) -> Result<Option<Event>, Fault> {
        let row = self.events.get(id)?;
        row.map(|row| decode(row.value())).transpose()
    }

    /// The event of a run, and when it was published: for a run that cannot say so itself.
    pub(crate) fn event_of(&self, number: i64) -> Result<Option<(Arc<str>, Timestamp)>, Fault> {
        for row in self.events.iter()? {
            let (id, event) = row?;
            let event: Event = decode(event.value())?;
            if event.runs.contains(&number) {
                return Ok(Some((id.value().into(), event.published_at)));
            }
        }
        Ok(None)
    }

    pub(crate) fn put_event(&mut self, id: &str, event: &Event) -> Result<(), Fault> {
        let idle = (event.published_at.as_millis(), id);
        if event.runs.is_empty() {
            self.idle.insert(idle, ())?;
        } else {
            self.idle.remove(idle)?;
        }
        self.events.insert(id, &*encode(event)?)?;
        Ok(())
    }

    pub(crate) fn remove_event(&mut self, id: &str, published_at: Timestamp) -> Result<(), Fault> {
        self.idle.remove((published_at.as_millis(), id))?;
        self.events.remove(id)?;
        self.payloads.remove(id)?;
        Ok(())
    }

    pub(crate) fn payload(&self, event: &str) -> Result<Arc<[u8]>, Fault> {
        let payload = self.payloads.get(event)?;
        Ok(payload.map(|row| row.value().into()).unwrap_or_default())
    }

    pub(crate) fn put_payload(&mut self, event: &str, payload: &[u8]) -> Result<(), Fault> {
        self.payloads.insert(event, payload)?;
        Ok(())
    }

    pub(crate) fn run(&self, number: i64) -> Result<Option<Run>, Fault> {
        let row = self.runs.get(number)?;
        row.map(|row| decode(row.value())).transpose()
    }

    /// A run among others, which are not to suffer from it: nothing where its row cannot be read.
    pub(crate) fn readable_run(&self, number: i64) -> Result<Option<Run>, Fault> {
        match self.run(number) {
            Err(Fault::Row(_)) => Ok(None),
            run => run,
        }
    }

    /// A run by its id, with its number.
    pub(crate) fn run_named(&self, id: &str) -> Result<Option<(i64, Run)>, Fault> {
        let Some(number) = self.run_ids.get(id)?.map(|number| number.value()) else {
            return Ok(None);
        };
        Ok(self.run(number)?.map(|run| (number, run)))
    }

    /// Writes the row of a run. What it stands for in the indexes follows from the row alone, so they cannot disagree.
    pub(crate) fn put_run(&mut self, number: i64, run: &Run) -> Result<(), Fault> {
        self.unindex(number)?;
        if let Some(due_at) = run.due_at {
            self.due.insert(
                (
                    &*run.function_id,
                    &*run.event_type,
                    due_at.as_millis(),
                    number,
                ),
                (),
            )?;
        }
        if let Some(worker) = run.worker {
            self.held.insert((worker.0, number), ())?;
        }
        if let Some(finished_at) = run.finished_at {
            self.finished
                .insert((finished_at.as_millis(), number), ())?;
        }
        if let Some(over_at) = run.over_at() {
            self.times.insert((over_at.as_millis(), number), ())?;
        }
        self.run_ids.insert(&*run.id, number)?;
        self.runs.insert(number, &*encode(run)?)?;
        Ok(())
    }

    fn unindex(&mut self, number: i64) -> Result<(), Fault> {
        let Some(run) = self.run(number)? else {
            return Ok(());
        };
        if let Some(due_at) = run.due_at {
            self.due.remove((
                &*run.function_id,
                &*run.event_type,
                due_at.as_millis(),
                number,
            ))?;
        }
        if let Some(worker) = run.worker {
            self.held.remove((worker.0, number))?;
        }
        if let Some(finished_at) = run.finished_at {
            self.finished.remove((finished_at.as_millis(), number))?;
        }
        if let Some(over_at) = run.over_at() {
            self.times.remove((over_at.as_millis(), number))?;
        }
        Ok(())
    }

    /// Removes a run with its journal. Its event stays, so that its id is known.
    pub(crate) fn remove_run(&mut self, number: i64, run: &Run) -> Result<(), Fault> {
        self.unindex(number)?;
        self.runs.remove(number)?;
        self.run_ids.remove(&*run.id)?;
        self.results.remove(number)?;
        self.steps
            .retain_in((number, 0)..=(number, u32::MAX), |_, _| false)?;
        if let Some(mut event) = self.event(&run.event_id)? {
            event.runs.retain(|other| *other != number);
            self.put_event(&run.event_id, &event)?;
        }
        Ok(())
    }

    pub(crate) fn result(&self, number: i64) -> Result<Option<Arc<[u8]>>, Fault> {
        Ok(self.results.get(number)?.map(|row| row.value().into()))
    }

    pub(crate) fn put_result(&mut self, number: i64, result: &[u8]) -> Result<(), Fault> {
        self.results.insert(number, result)?;
        Ok(())
    }

    /// The journal of a run, in the order of `seq`.
    pub(crate) fn journal(&self, number: i64) -> Result<Vec<Entry>, Fault> {
        let mut journal = Vec::new();
        for row in self.steps.range((number, 0)..=(number, u32::MAX))? {
            let (key, row) = row?;
            let (step, value) = row.value();
            journal.push(decode::<Step>(step)?.with(key.value().1, value));
        }
        Ok(journal)
    }

    /// Ends a run as failed or cancelled, or has it undone first, if it has recorded what can be. A cancel that is handled waits for a
    /// worker in the same way.
    pub(crate) fn stop(
        &self,
        number: i64,
        run: &mut Run,
        status: RunStatus,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let is_handled =
            status == RunStatus::Cancelled && self.cancel_handled.get(&*run.function_id)?.is_some();
        let is_driven = is_handled || self.journal(number)?.iter().any(|entry| entry.undoable);
        if run.may_be_cancelled() && is_driven {
            run.undo(status, now);
        } else {
            run.finish(status, now);
        }
        Ok(())
    }

    /// How much of a run is recorded. Of one that cannot be read nothing is.
    pub(crate) fn progress(&self, number: i64, run: &Run) -> Result<u64, Fault> {
        match self.journal(number) {
            Ok(journal) => Ok(progress(run.failed_attempts, &journal)),
            Err(Fault::Row(_)) => Ok(0),
            Err(fault) => Err(fault),
        }
    }
}
