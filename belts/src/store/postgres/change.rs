//! What people do to runs: cancel, rerun, purge, forget, and the notes about it.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    database::Database,
    error::Fault,
    sql::{Parameters, number},
    text::to_column,
    waits,
};
use crate::store::{Note, Purged, Rerun, RunRecord, RunStatus, Timestamp};

impl Database {
    pub(super) async fn cancel(&self, run: &str, now: Timestamp) -> Result<bool, Fault> {
        let is_ours = |run: &RunRecord| match run.status {
            RunStatus::Cancelled => run.finished_at == Some(now),
            status => status == RunStatus::Undoing,
        };
        let cancel = async |resent| {
            let parameters = Parameters::default()
                .bind(to_column(run))
                .bind(now.as_millis())
                .bind(&self.store);
            let (cancelled, told): (bool, bool) = self.row(&self.sql.cancel, parameters).await?;
            let before = resent && self.run(run).await?.as_ref().is_some_and(is_ours);
            // What the first time has told is known to nobody.
            Ok((cancelled || before, told || resent))
        };
        let (cancelled, told) = self.insist(cancel).await?;
        self.show_ends(told, now).await;
        // Whoever drives it hears of it now, and not at its next commit.
        self.wake_if(cancelled);
        Ok(cancelled)
    }

    pub(super) async fn rerun(&self, request: &Rerun) -> Result<bool, Fault> {
        let Rerun {
            run_id: run,
            from,
            reopen,
            undone,
            now,
        } = request;
        let rerun = async |resent| {
            let again = self.entries_of(run, reopen).await?;
            let seqs = reopen.iter().map(|seq| seq.cast_signed());
            let parameters = Parameters::default()
                .bind(to_column(run))
                .bind(now.as_millis())
                .bind(&self.store)
                .bind(from.map(i64::from))
                .bind(seqs.bind_iter())
                .bind(undone.iter().map(|seq| seq.cast_signed()).bind_iter());
            let parameters = waits::bind_again(parameters, &again);
            let (made_due,): (bool,) = self.row(&self.sql.rerun, parameters).await?;
            let is_ours = |run: &RunRecord| run.due_at == Some(*now);
            Ok(made_due || resent && self.run(run).await?.as_ref().is_some_and(is_ours))
        };
        let made_due = self.insist(rerun).await?;
        self.wake_if(made_due);
        Ok(made_due)
    }

    /// Removes old runs and events that started nothing. If this is sent twice, the numbers are those of the second time.
    pub(super) async fn purge(&self, before: Timestamp, limit: usize) -> Result<Purged, Fault> {
        let purge = |_| {
            let parameters = Parameters::default()
                .bind(before.as_millis())
                .bind(number(limit));
            self.row(&self.sql.purge, parameters)
        };
        let (runs, events, more): (i64, i64, bool) = self.insist(purge).await?;
        Ok(Purged::new(count(runs))
            .with_events(count(events))
            .with_more(more))
    }

    /// Pauses a function; whether it was not paused before.
    pub(super) async fn pause(&self, function: &str, now: Timestamp) -> Result<bool, Fault> {
        let pause = async |resent| {
            let parameters = Parameters::default()
                .bind(to_column(function))
                .bind(now.as_millis());
            let (paused,): (bool,) = self.row(&self.sql.pause, parameters).await?;
            // It may have been this very call.
            Ok(paused || resent)
        };
        self.insist(pause).await
    }

    /// Ends the pause of a function; whether there was one.
    pub(super) async fn resume(&self, function: &str) -> Result<bool, Fault> {
        let resume = async |resent| {
            let parameters = Parameters::default()
                .bind(to_column(function))
                .bind(&self.store);
            let (resumed,): (bool,) = self.row(&self.sql.resume, parameters).await?;
            Ok(resumed || resent)
        };
        let resumed = self.insist(resume).await?;
        self.wake_if(resumed);
        Ok(resumed)
    }

    /// Ends runs of a function; `None` where a living session has it.
    pub(super) async fn forget(
        &self,
        function: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Option<Purged>, Fault> {
        let forget = async |resent| {
            let parameters = Parameters::default()
                .bind(&self.store)
                .bind(to_column(function))
                .bind(now.as_millis())
                .bind(number(limit.min(MOST_FORGOTTEN)));
            let (living, ended, more, told): (bool, Option<i64>, Option<bool>, bool) =
                self.row(&self.sql.forget, parameters).await?;
            Ok((living, ended, more, told || resent))
        };
        let (living, ended, more, told) = self.insist(forget).await?;
        self.show_ends(told, now).await;
        // Silent sessions may have ended, whose other runs are due.
        self.wake_if(!living);
        Ok((!living)
            .then(|| Purged::new(count(ended.unwrap_or(0))).with_more(more.unwrap_or(false))))
    }

    /// Keeps a note with a run; whether there is one. If this is sent twice, the note may be there twice.
    pub(super) async fn note(&self, run: &str, note: &Note) -> Result<bool, Fault> {
        // Whatever is in it, JSON writes it without the characters that Postgres does not take.
        let note = serde_json::to_string(note).map_err(|_| Fault::Row("note"))?;
        let keep = |_| {
            let parameters = Parameters::default()
                .bind(to_column(run))
                .bind(&note)
                .bind(i32::try_from(Note::MOST).unwrap_or(i32::MAX));
            self.rows(&self.sql.note, parameters)
        };
        Ok(!self.insist(keep).await?.is_empty())
    }
}

/// One write of a function's end holds no more locks.
const MOST_FORGOTTEN: usize = 10_000;

fn count(rows: i64) -> usize {
    usize::try_from(rows).unwrap_or(0)
}
