//! Runs in SQLite that other runs have started: how they begin, and which end together. What is told of an end is written by triggers.

use rusqlite::{OptionalExtension as _, params};

use super::{
    error::Fault,
    rows::{FIRST_FINISHED, status_number},
    tx::Tx,
};
use crate::store::{Commit, ENDED, NewEvent, RunStatus, Target, Timestamp, parts::ended_as};

impl Tx<'_> {
    /// Starts and cancels the runs that a commit names.
    pub(super) fn settle_others(&mut self, commit: &Commit, now: Timestamp) -> Result<(), Fault> {
        for event in &commit.starts {
            self.start_run(event, now)?;
        }
        for run_id in &commit.watches {
            self.watch(run_id, now)?;
        }
        for run_id in &commit.cancels {
            let own: Option<i64> = self
                .connection
                .prepare_cached(
                    "SELECT number FROM runs WHERE id = ?1 AND status < ?2 AND undo IS NULL
                         AND parent = (SELECT id FROM runs WHERE number = ?3)",
                )?
                .query_row(
                    params![&**run_id, FIRST_FINISHED, commit.lease.run],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(number) = own {
                self.cancel_number(number, now)?;
            }
        }
        Ok(())
    }

    fn start_run(&mut self, event: &NewEvent, now: Timestamp) -> Result<(), Fault> {
        if let Target::Function {
            run_id: Some(run_id),
            ..
        } = &event.target
        {
            if self.tell_again(run_id, now)? {
                return Ok(());
            }
            self.untell_end(run_id)?;
        }
        self.publish_one(event, now, None)?;
        self.wakes = true;
        Ok(())
    }

    /// Tells the end of a run again, if it has ended: whoever waits for it now may have missed it. Whether there is such a run.
    fn tell_again(&mut self, run_id: &str, now: Timestamp) -> Result<bool, Fault> {
        let has_ended: Option<bool> = self
            .connection
            .prepare_cached("SELECT finished_at IS NOT NULL FROM runs WHERE id = ?1")?
            .query_row(params![run_id], |row| row.get(0))
            .optional()?;
        if has_ended == Some(true) {
            self.execute(
                "UPDATE runs SET finished_at = finished_at WHERE id = ?1",
                params![run_id],
            )?;
            self.tell_ends(now)?;
        }
        Ok(has_ended.is_some())
    }

    fn watch(&mut self, run_id: &str, now: Timestamp) -> Result<(), Fault> {
        if self.tell_again(run_id, now)? {
            return Ok(());
        }
        let Some(ended) = self.names.find(ENDED)? else {
            return Ok(());
        };
        let told = self.execute(
            "INSERT INTO events (id, event_type, published_at, correlation_key, idle, payload)
             SELECT 'belts.ended:' || ?2 || ':' || lower(hex(randomblob(8))), ?1, ?3, ?2, 1, ?4
             WHERE NOT EXISTS (
                 SELECT 1 FROM events WHERE event_type = ?1 AND correlation_key = ?2 AND digest IS NULL)",
            params![ended, run_id, now.as_millis(), ended_as("gone", None)],
        )?;
        if told > 0 {
            self.tell_ends(now)?;
        }
        Ok(())
    }

    /// What follows from the end of a run: it `is_told` where the run has a parent, and those that are attached end with it.
    pub(super) fn settle_end(
        &mut self,
        number: i64,
        status: RunStatus,
        mut is_told: bool,
        now: Timestamp,
    ) -> Result<(), Fault> {
        if matches!(status, RunStatus::Failed | RunStatus::Cancelled) {
            let mut ended = vec![number];
            while let Some(parent) = ended.pop() {
                let below = self.cancel_attached(parent, now)?;
                is_told |= !below.is_empty();
                ended.extend(below);
            }
        }
        if is_told {
            self.tell_ends(now)?;
        }
        Ok(())
    }

    /// Cancels a run, with those that end with it.
    pub(super) fn cancel_number(&mut self, number: i64, now: Timestamp) -> Result<(), Fault> {
        let is_told = self.end_as_cancelled(number, now)?;
        self.settle_end(number, RunStatus::Cancelled, is_told, now)
    }

    pub(super) fn goes_on(&self, number: i64) -> Result<bool, Fault> {
        let found = self
            .connection
            .prepare_cached("SELECT 1 FROM runs WHERE number = ?1 AND finished_at IS NULL")?
            .query_row(params![number], |_| Ok(()))
            .optional()?;
        Ok(found.is_some())
    }

    /// Cancels a run alone; whether that is told.
    fn end_as_cancelled(&mut self, number: i64, now: Timestamp) -> Result<bool, Fault> {
        let is_told = self
            .connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, due_at = NULL, worker = NULL, finished_at = ?3 WHERE number = ?1
                 RETURNING parent IS NOT NULL",
            )?
            .query_row(
                params![number, status_number(RunStatus::Cancelled), now.as_millis()],
                |row| row.get(0),
            )?;
        self.close_waits(number)?;
        // Whoever drives it looks for what was taken from it.
        self.wakes = true;
        Ok(is_told)
    }

    /// Cancels the runs that have not finished and end with this one, without those below them.
    fn cancel_attached(&mut self, number: i64, now: Timestamp) -> Result<Vec<i64>, Fault> {
        let cancelled: Vec<i64> = self
            .connection
            .prepare_cached(
                "UPDATE runs SET status = ?2, due_at = NULL, worker = NULL, finished_at = ?3
                 WHERE parent = (SELECT id FROM runs WHERE number = ?1) AND attached = 1 AND finished_at IS NULL
                     AND undo IS NULL
                 RETURNING number",
            )?
            .query_map(
                params![number, status_number(RunStatus::Cancelled), now.as_millis()],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<_>>()?;
        for number in &cancelled {
            self.close_waits(*number)?;
        }
        // Whoever drives one of them looks for what was taken from it.
        self.wakes |= !cancelled.is_empty();
        Ok(cancelled)
    }

    /// Gives places to the ends that were just told.
    pub(super) fn tell_ends(&mut self, now: Timestamp) -> Result<(), Fault> {
        self.look()?;
        // By the clock of the workers, whoever ends a run.
        let due_at = self.due_by(now, now)?;
        loop {
            self.recall.told = false;
            self.tell(due_at)?;
            if self.recall.told {
                return Ok(());
            }
        }
    }

    /// Takes back what was told of the end of a run that is gone.
    fn untell_end(&mut self, run_id: &str) -> Result<(), Fault> {
        let Some(ended) = self.names.find(ENDED)? else {
            return Ok(());
        };
        let told: Vec<i64> = self
            .connection
            .prepare_cached(
                "SELECT number FROM events WHERE event_type = ?1 AND correlation_key = ?2 AND digest IS NULL",
            )?
            .query_map(params![ended, run_id], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for event in told {
            self.remove_placed(event)?;
        }
        Ok(())
    }
}
