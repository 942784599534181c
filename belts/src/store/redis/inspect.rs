//! Looking at runs: one, its journal, or a page of them.

use std::sync::Arc;

use redis::Value;

use super::{
    Fault, Redis,
    limits::decode_limits,
    publish::most,
    reply::{self, Row},
    rows,
    script::{self, Call},
};
use crate::{
    error::Result,
    store::{
        EndedLately, Entry, InLine, Lane, Mark, RunFilter, RunPage, RunRecord, RunStatus,
        Timestamp, parts::lanes::lane_of, sorted_tags,
    },
};

/// The most runs of which one call tells how they ended.
const MOST_ENDED: usize = 2_000;
/// The most runs that one call looks at, of which few may pass the filter: others wait meanwhile.
const LOOKS: usize = 2_000;

impl Redis {
    pub(super) async fn read_run(&self, run: &str) -> Result<Option<RunRecord>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::RUN);
            call.arg(run);
            call
        });
        match answer.await? {
            Value::Nil => Ok(None),
            list => {
                let (mut record, _) = self.read(Row::of(list).and_then(record))?;
                // Only what flow options were applied to stands in line.
                if record.mark.is_some() && record.due_at.is_some() && !record.status.is_finished()
                {
                    record.in_line = self.read_in_line(run).await?;
                }
                Ok(Some(record))
            }
        }
    }

    /// The limit that keeps a run waiting.
    async fn read_in_line(&self, run: &str) -> Result<Option<InLine>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::IN_LINE);
            call.arg(run);
            call
        });
        match answer.await? {
            Value::Nil => Ok(None),
            list => self.read(Row::of(list).and_then(in_line)).map(Some),
        }
    }

    pub(super) async fn read_journal(&self, run: &str) -> Result<Vec<Entry>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::JOURNAL);
            call.arg(run);
            call
        });
        let answer = answer.await?;
        let (journal, _) = self.read(Row::of(answer).and_then(rows::decode_journal))?;
        Ok(journal)
    }

    pub(super) async fn count_due(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<usize>> {
        let answer = self.run(|_| {
            let mut call = self.call(&script::BACKLOG);
            call.arg(now.as_millis());
            for function in functions {
                call.arg(&**function);
            }
            call
        });
        let answer = answer.await?;
        let counts = self.read(Row::of(answer).and_then(counts))?;
        Ok(counts.into_iter().map(|count| count.min(limit)).collect())
    }

    pub(super) async fn list_runs(&self, filter: &RunFilter) -> Result<RunPage> {
        let limit = filter.page_size();
        let mut below = filter.mark()?.unwrap_or(i64::MAX);
        let (mut found, mut looked, mut stopped) = (Vec::new(), 0, None);
        // One more than the page has, to know whether there is another.
        while found.len() <= limit {
            let wanted = most(limit - found.len()) + 1;
            let answer = self.run(|_| self.list_call(filter, below, wanted)).await?;
            match self.read(listed(answer, &mut found))? {
                Some(next) => below = next,
                None => break,
            }
            looked += LOOKS;
            if filter.looks > 0 && looked >= filter.looks {
                stopped = Some(below.to_string());
                break;
            }
        }
        let goes_on = found.len() > limit;
        found.truncate(limit);
        let last = found.last().map(|(_, number)| number.to_string());
        Ok(RunPage {
            runs: found.into_iter().map(|(record, _)| record).collect(),
            next: last.filter(|_| goes_on).or(stopped),
        })
    }

    /// How many runs ended lately, by the set in which they stand as they ended.
    pub(super) async fn count_ended(&self, since: Timestamp, limit: usize) -> Result<EndedLately> {
        let limit = limit.min(MOST_ENDED);
        let answer = self.run(|_| {
            let mut call = self.call(&script::ENDED);
            call.arg(since.as_millis()).arg(most(limit));
            call
        });
        let answer = answer.await?;
        let ends = self.read(Row::of(answer).and_then(ends))?;
        let ends = ends.iter().map(|(id, status, at)| (id, *status, *at));
        Ok(EndedLately::count(since, limit, ends))
    }

    fn list_call(&self, filter: &RunFilter, below: i64, wanted: usize) -> Call {
        let statuses = filter
            .statuses
            .iter()
            .map(|status| rows::status_digit(*status));
        let mut call = self.call(&script::LIST);
        call.arg(below)
            .arg(wanted)
            .arg(LOOKS)
            .arg(statuses.collect::<String>())
            .optional(filter.function_id.as_deref())
            .optional(filter.event_id.as_deref())
            .optional(millis(filter.since).as_deref())
            .optional(millis(filter.until).as_deref())
            .optional(filter.parent.as_deref())
            .optional(millis(filter.due_by).as_deref());
        for tag in &filter.tags {
            call.arg(tag.to_string());
        }
        call
    }
}

fn ends(mut row: Row) -> Result<Vec<(Arc<str>, RunStatus, Timestamp)>, Fault> {
    let mut ends = Vec::new();
    while !row.is_empty() {
        let (function, status, at) = (row.text()?, rows::status_of(&row.raw()?)?, row.time()?);
        ends.push((function, status, at.ok_or(Fault::Reply("end of a run"))?));
    }
    Ok(ends)
}

fn millis(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.as_millis().to_string())
}

fn counts(mut row: Row) -> Result<Vec<usize>, Fault> {
    let mut counts = Vec::new();
    while !row.is_empty() {
        counts.push(reply::count(&row.value())?);
    }
    Ok(counts)
}

/// Adds what a call has found; the number below which to go on.
fn listed(answer: Value, found: &mut Vec<(RunRecord, i64)>) -> Result<Option<i64>, Fault> {
    let mut row = Row::of(answer)?;
    let next = row.optional_number()?;
    let mut runs = row.row()?;
    while !runs.is_empty() {
        match record(runs.row()?) {
            Ok(run) => found.push(run),
            Err(fault) => {
                tracing::warn!(fault = %crate::plain::Clean(&fault), "cannot read a run; it is left out of the list");
            }
        }
    }
    Ok(next)
}

/// A run and its number. One whose event cannot be read is told without it.
fn record(mut row: Row) -> Result<(RunRecord, i64), Fault> {
    let (run_id, function_id, event_id) = (row.text()?, row.text()?, row.text()?);
    let status = rows::status_of(&row.raw()?)?;
    let failed_attempts = row.optional_number()?.unwrap_or(0);
    let times = (row.time()?, row.time()?, row.time()?);
    let result = row.optional_raw()?;
    let event = row.optional_raw()?.map(|event| rows::decode_event(&event));
    let (event_type, payload, published_at) = if let Some(Ok(event)) = event {
        (event.event_type, event.payload, event.published_at)
    } else {
        let known = times.0.or(times.1).or(times.2);
        (
            "".into(),
            [].into(),
            known.unwrap_or(Timestamp::from_millis(0)),
        )
    };
    let about = (event_id, event_type, payload);
    let mut record = RunRecord::new(run_id, function_id, about, status, published_at);
    record.failed_attempts = failed_attempts;
    (record.started_at, record.finished_at, record.due_at) = times;
    record.result = result.map(Into::into);
    let number = row.number()?;
    record.notes = rows::decode_notes(&row.optional_raw()?.unwrap_or_default());
    let parent = row.optional_raw()?;
    record.parent = parent.and_then(|text| rows::decode_parent(&text).ok());
    let limits = row.optional_raw()?;
    let deadlines = limits.and_then(|text| decode_limits(&text).ok());
    record.start_by = deadlines.and_then(|deadlines| deadlines.start_by);
    record.finish_by = deadlines.and_then(|deadlines| deadlines.finish_by);
    let tags = row.optional_raw()?;
    let tags: Vec<String> = tags
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    record.tags = sorted_tags(tags.iter().map(String::as_str));
    let build = row.optional_raw()?;
    record.build = build.map(|build| String::from_utf8_lossy(&build).into());
    let mark = row.optional_raw()?;
    record.mark = mark.and_then(|mark| Mark::parse(&String::from_utf8_lossy(&mark)));
    Ok((record, number))
}

/// The limit that keeps a run waiting: its lane, the limit, and how many places are taken.
fn in_line(mut row: Row) -> Result<InLine, Fault> {
    let lane = row.text()?;
    let (pool, key) = lane_of(&lane);
    Ok(InLine::new(
        Lane::new(pool, key, row.number()?),
        row.number()?,
    ))
}
