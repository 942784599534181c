//! Looking at runs, and what people do to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use belts::{
    Error, Timestamp,
    store::{
        Entry, FunctionRecord, Note, Purged, Rerun, RunFilter, RunPage, RunRecord, RunStatus,
        StepState, Tag, parts::Crashes,
    },
};
use redb::ReadableTable as _;

use super::{fault::Fault, rows::Run, tables::Tables};

impl Tables<'_> {
    pub(crate) fn record(&self, run_id: &str) -> Result<Option<RunRecord>, Fault> {
        match self.run_named(run_id)? {
            Some((number, run)) => Ok(Some(self.record_of(number, run)?)),
            None => Ok(None),
        }
    }

    fn record_of(&self, number: i64, run: Run) -> Result<RunRecord, Fault> {
        let payload = self.payload(&run.event_id)?;
        let (status, may_end) = (run.shown_status(), run.undoing.is_none());
        let deadlines = run.deadlines.filter(|_| may_end);
        let mut record = RunRecord::new(
            run.id,
            run.function_id,
            (run.event_id, run.event_type, payload),
            status,
            run.published_at,
        )
        .with_failed_attempts(run.failed_attempts)
        .with_started_at(run.started_at)
        .with_finished_at(run.finished_at)
        .with_due_at(run.due_at)
        .with_start_by(deadlines.and_then(|deadlines| deadlines.start_by))
        .with_finish_by(deadlines.and_then(|deadlines| deadlines.finish_by))
        .with_tags(sorted(&run.tags))
        .with_build(run.build)
        .with_notes(run.notes);
        record.result = self.result(number)?;
        Ok(record)
    }

    pub(crate) fn journal_of(&self, run_id: &str) -> Result<Vec<Entry>, Fault> {
        match self.run_named(run_id)? {
            Some((number, _)) => self.journal(number),
            None => Ok(Vec::new()),
        }
    }

    /// A page of runs, the newest first. The mark of a page is the number of its last run.
    pub(crate) fn list(&self, filter: &RunFilter) -> Result<RunPage, Fault> {
        let mark = filter.after.as_ref().map(|mark| mark.parse());
        let mark = mark.transpose();
        let below = mark.map_err(|error| Fault::Answer(Error::wrong_page_mark(error)))?;
        let mut page = RunPage::default();
        let mut last = None;
        for row in self.runs.range(..below.unwrap_or(i64::MAX))?.rev() {
            let number = row?.0.value();
            let run = self.readable_run(number)?;
            let Some(run) = run.filter(|run| passes(run, filter)) else {
                continue;
            };
            if page.runs.len() == filter.page_size() {
                page.next = last.map(|number: i64| number.to_string());
                break;
            }
            page.runs.push(self.record_of(number, run)?.listed());
            last = Some(number);
        }
        Ok(page)
    }

    pub(crate) fn backlog(
        &self,
        functions: &[Arc<str>],
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<usize>, Fault> {
        let count = |function: &Arc<str>| Ok(self.due_runs(function, now, most, |_| true)?.len());
        functions.iter().map(count).collect()
    }

    pub(crate) fn cancel(&mut self, run_id: &str, now: Timestamp) -> Result<bool, Fault> {
        let Some((number, mut run)) = self.run_named(run_id)? else {
            return Ok(false);
        };
        if !run.may_be_cancelled() {
            return Ok(false);
        }
        self.stop(number, &mut run, RunStatus::Cancelled, now)?;
        self.put_run(number, &run)?;
        self.wakes = true;
        Ok(true)
    }

    pub(crate) fn rerun(&mut self, request: &Rerun) -> Result<bool, Fault> {
        let Some((number, mut run)) = self.run_named(&request.run_id)? else {
            return Ok(false);
        };
        if !matches!(run.status, RunStatus::Failed | RunStatus::Cancelled) {
            return Ok(false);
        }
        for entry in self.journal(number)? {
            let after = request.from.is_some_and(|from| entry.seq >= from);
            let undone = request.undone.contains(&entry.seq);
            if after || undone || entry.state == StepState::Failed {
                self.steps.remove((number, entry.seq))?;
            }
        }
        self.results.remove(number)?;
        run.failed_attempts = 0;
        run.crashes = Crashes::default();
        run.deadlines = run.deadlines.map(|deadlines| deadlines.again(request.now));
        let status = match run.started_at {
            Some(_) => RunStatus::Suspended,
            None => RunStatus::Pending,
        };
        run.wait(status, request.now);
        self.put_run(number, &run)?;
        self.wakes = true;
        Ok(true)
    }

    pub(crate) fn purge(&mut self, before: Timestamp, limit: usize) -> Result<Purged, Fault> {
        let runs = self.purge_runs(before, limit)?;
        let events = self.purge_idle(before, limit)?;
        Ok(Purged::new(runs)
            .with_events(events)
            .with_more(runs == limit || events == limit))
    }

    fn purge_runs(&mut self, before: Timestamp, limit: usize) -> Result<usize, Fault> {
        let old = self.finished.range(..(before.as_millis(), i64::MIN))?;
        let old: Vec<i64> = old
            .take(limit)
            .map(|row| Ok::<_, Fault>(row?.0.value().1))
            .collect::<Result<_, _>>()?;
        for number in &old {
            let Some(run) = self.readable_run(*number)? else {
                continue;
            };
            self.remove_run(*number, &run)?;
            if let Some(event) = self.event(&run.event_id)?
                && event.runs.is_empty()
            {
                self.remove_event(&run.event_id, event.published_at)?;
            }
        }
        Ok(old.len())
    }

    /// Removes events that started nothing. They are kept as long as finished runs, so that their ids stay known.
    fn purge_idle(&mut self, before: Timestamp, limit: usize) -> Result<usize, Fault> {
        let mut idle = Vec::new();
        for row in self.idle.range(..(before.as_millis(), ""))?.take(limit) {
            let (key, _) = row?;
            let (published_at, id) = key.value();
            idle.push((Timestamp::from_millis(published_at), id.to_owned()));
        }
        for (published_at, id) in &idle {
            self.remove_event(id, *published_at)?;
        }
        Ok(idle.len())
    }

    /// Every function that somebody wants, that has something to do, or that is paused. This looks at each run, which is slow where there are many.
    pub(crate) fn functions(
        &self,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<FunctionRecord>, Fault> {
        let mut records: BTreeMap<Arc<str>, FunctionRecord> = BTreeMap::new();
        for wanted in self.subscriptions()? {
            of(&mut records, &wanted.function_id).event_types = wanted.event_types;
        }
        for function in self.living_functions(now)? {
            of(&mut records, &function).living = true;
        }
        for (_, run) in self.unfinished()? {
            let record = of(&mut records, &run.function_id);
            record.unfinished = most.min(record.unfinished + 1);
        }
        for row in self.paused.iter()? {
            let (function, paused_at) = row?;
            let record = of(&mut records, &function.value().into());
            record.paused_at = Some(Timestamp::from_millis(paused_at.value()));
        }
        Ok(records.into_values().collect())
    }

    pub(crate) fn pause(&mut self, function: &str, now: Timestamp) -> Result<bool, Fault> {
        if self.is_paused(function)? {
            return Ok(false);
        }
        self.paused.insert(function, now.as_millis())?;
        Ok(true)
    }

    pub(crate) fn resume(&mut self, function: &str) -> Result<bool, Fault> {
        let resumed = self.paused.remove(function)?.is_some();
        self.wakes |= resumed;
        Ok(resumed)
    }

    pub(crate) fn forget(
        &mut self,
        function: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Purged, Fault> {
        if self.living_functions(now)?.contains(function) {
            return Err(Fault::Answer(Error::function_in_use(function)));
        }
        // Those that have it are silent, or have ended. Whoever comes back registers again, and wants it again.
        for (worker, session) in self.sessions()? {
            if session.has(function) {
                self.end_session(worker, now, true)?;
            }
        }
        for (worker, mut session) in self.sessions()? {
            if session.has(function) {
                let wants = &mut session.wants;
                wants.retain(|wanted| *wanted.function_id != *function);
                self.put_session(worker, &session)?;
            }
        }
        self.resume(function)?;
        self.limits.remove(function)?;
        self.cancel_handled.remove(function)?;
        let unfinished = self.unfinished()?.into_iter();
        let mut of_it = unfinished.filter(|(_, run)| &*run.function_id == function);
        let mut ended = 0;
        for (number, mut run) in of_it.by_ref().take(limit) {
            run.finish(RunStatus::Cancelled, now);
            self.put_run(number, &run)?;
            ended += 1;
        }
        self.wakes = true;
        Ok(Purged::new(ended).with_more(of_it.next().is_some()))
    }

    fn unfinished(&self) -> Result<Vec<(i64, Run)>, Fault> {
        let mut unfinished = Vec::new();
        for row in self.runs.iter()? {
            let number = row?.0.value();
            let run = self.readable_run(number)?;
            let run = run.filter(|run| !run.status.is_finished());
            unfinished.extend(run.map(|run| (number, run)));
        }
        Ok(unfinished)
    }

    pub(crate) fn note(&mut self, run_id: &str, note: Note) -> Result<bool, Fault> {
        let Some((number, mut run)) = self.run_named(run_id)? else {
            return Ok(false);
        };
        run.notes.push(note);
        let surplus = run.notes.len().saturating_sub(Note::MOST);
        run.notes.drain(..surplus);
        self.put_run(number, &run)?;
        Ok(true)
    }
}

fn of<'a>(
    records: &'a mut BTreeMap<Arc<str>, FunctionRecord>,
    id: &Arc<str>,
) -> &'a mut FunctionRecord {
    let record = records.entry(Arc::clone(id));
    record.or_insert_with(|| FunctionRecord::new(Arc::clone(id)))
}

fn sorted(tags: &BTreeSet<String>) -> Vec<Tag> {
    let mut tags: Vec<Tag> = tags.iter().filter_map(|tag| Tag::parse(tag)).collect();
    tags.sort_unstable();
    tags
}

fn passes(run: &Run, filter: &RunFilter) -> bool {
    let is = |asked: &Option<Arc<str>>, id| asked.as_ref().is_none_or(|asked| asked == id);
    is(&filter.function_id, &run.function_id)
        && is(&filter.event_id, &run.event_id)
        && filter.includes_time(run.finished_at.unwrap_or(run.published_at))
        && filter
            .due_by
            .is_none_or(|time| run.due_at.is_some_and(|due_at| due_at <= time))
        && filter
            .tags
            .iter()
            .all(|tag| run.tags.contains(&tag.to_string()))
        && (filter.statuses.is_empty() || filter.statuses.contains(&run.shown_status()))
}
