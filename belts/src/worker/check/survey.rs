//! Goes through the runs in flight, function by function.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::stream::{self, StreamExt as _};

use super::{
    lanes::Lanes,
    options::Options,
    rehearse::rehearse,
    report::{CheckReport, CheckedFunction},
    verdict::Verdict,
};
use crate::{
    codec::{self, Decoded},
    error::Result,
    function::FunctionEntry,
    inspect::as_claimed,
    registry::Registered,
    store::{ClaimedRun, RunFilter, RunRecord, RunStatus},
    worker::Shared,
};

/// How many runs are read from the store at a time.
const PAGE: usize = 500;

/// How many are under way at once: most of the time is the store's.
const AT_ONCE: usize = 16;

/// After so many runs of a function whose replay does not end, the rest is left.
const MOST_HUNG: usize = 3;

/// A run of which something was found.
struct Found {
    record: RunRecord,
    verdict: Verdict,
}

impl Shared {
    /// Checks the runs in flight.
    pub(super) async fn check_with(
        self: &Arc<Self>,
        options: &Arc<Options>,
    ) -> Result<CheckReport> {
        // Whether there is one is all that matters here.
        let known = self.store.functions(self.clock.now(), 1).await?;
        let lanes = Lanes::default();
        let checked = AtomicUsize::new(0);
        let mut report = CheckReport::default();
        for function in known.iter().filter(|function| function.unfinished > 0) {
            let id = &function.function_id;
            let mut found = CheckedFunction::new(Arc::clone(id));
            match self.registry.get(id) {
                Some(registered) => {
                    self.check_function(registered, options, &lanes, &checked, &mut found)
                        .await?;
                }
                None if options.is_elsewhere(id) => continue,
                None if options.whole_program && is_in_program(id) => continue,
                None => self.check_removed(options, &checked, &mut found).await?,
            }
            if found.runs > 0 {
                report.functions.push(found);
            }
        }
        report
            .functions
            .sort_by(|a, b| a.function_id.cmp(&b.function_id));
        Ok(report)
    }

    async fn check_function(
        self: &Arc<Self>,
        function: &Registered,
        options: &Options,
        lanes: &Lanes,
        checked: &AtomicUsize,
        found: &mut CheckedFunction,
    ) -> Result<()> {
        let (mut hung, mut after, mut left) = (0, None, options.most);
        loop {
            let filter = of_function(&found.function_id, after, left);
            let page = self.store.list(filter).await?;
            let next = page.next;
            let is_over = page.runs.len() <= left && next.is_none();
            let mut runs = stream::iter(page.runs.into_iter().take(left))
                .map(|run| self.check_run(function, run, options, lanes))
                .buffer_unordered(AT_ONCE);
            while let Some(run) = runs.next().await {
                left -= 1;
                let Some(Found { record, verdict }) = run? else {
                    continue;
                };
                found.add(&record.run_id, record.build.as_ref(), &verdict);
                tell(options, checked);
                hung += usize::from(verdict.hung);
                if hung >= MOST_HUNG {
                    found.more = true;
                    return Ok(());
                }
            }
            drop(runs);
            after = next;
            if is_over || left == 0 {
                found.more = !is_over;
                return Ok(());
            }
        }
    }

    /// Counts the runs of a function that this program does not have.
    async fn check_removed(
        &self,
        options: &Options,
        checked: &AtomicUsize,
        found: &mut CheckedFunction,
    ) -> Result<()> {
        let reason = "this program has no such function, so the run would wait for one that does; name it as one that is elsewhere if \
                      another program has it";
        let verdict = Verdict::failing(reason.to_owned());
        let (mut after, mut left) = (None, options.most);
        loop {
            let filter = of_function(&found.function_id, after, left);
            let page = self.store.list(filter).await?;
            let is_over = page.runs.len() <= left && page.next.is_none();
            for run in page.runs.into_iter().take(left) {
                left -= 1;
                found.add(&run.run_id, run.build.as_ref(), &verdict);
                tell(options, checked);
            }
            after = page.next;
            if is_over || left == 0 {
                found.more = !is_over;
                return Ok(());
            }
        }
    }

    /// Checks one run; `None` if it has ended meanwhile.
    async fn check_run(
        self: &Arc<Self>,
        function: &Registered,
        listed: RunRecord,
        options: &Options,
        lanes: &Lanes,
    ) -> Result<Option<Found>> {
        let run_id = listed.run_id;
        let Some(record) = self.store.run(&run_id).await? else {
            return Ok(None);
        };
        if record.status.is_finished() {
            return Ok(None);
        }
        let verdict = self.verdict(function, &record, options, lanes).await?;
        if !verdict.fails.is_empty() {
            // Workers go on meanwhile, and what was read of it may be of two moments.
            let now = self.store.run(&run_id).await?;
            if now.is_none_or(|now| now.status.is_finished()) {
                return Ok(None);
            }
        }
        Ok(Some(Found { record, verdict }))
    }

    async fn verdict(
        self: &Arc<Self>,
        function: &Registered,
        record: &RunRecord,
        options: &Options,
        lanes: &Lanes,
    ) -> Result<Verdict> {
        if !function
            .event_types()
            .any(|known| *known == *record.event_type)
        {
            let event_type = &record.event_type;
            return Ok(Verdict::failing(format!(
                "the function takes no `{event_type}` any more, so the run would wait for a worker whose code does"
            )));
        }
        let journal = self.store.journal(&record.run_id).await?;
        let is_new = journal.is_empty() && record.status != RunStatus::Undoing;
        let last_failure = failure_of(record);
        let mut claimed = as_claimed(record).with_journal(journal);
        if let Some(whole) = self.whole(function, &claimed).await? {
            claimed.payload = whole;
        }
        let (worker, id, limit) = (
            Arc::clone(self),
            Arc::clone(&function.id),
            options.time_limit,
        );
        let verdict = Box::pin(async move {
            let function = worker.registry.get(&id)?;
            if is_new && let Some(verdict) = filtered(function, &claimed) {
                return Some(verdict);
            }
            let rehearsed = rehearse(&worker, function, claimed, worker.clock.now(), limit).await;
            Some(Verdict::of(
                function.def,
                rehearsed,
                last_failure.as_deref(),
            ))
        });
        let verdict = lanes.run(limit, verdict).await?.flatten();
        let verdict = verdict.unwrap_or_else(Verdict::hanging);
        Ok(verdict.settled(|path| options.is_accepted(&function.id, path)))
    }
}

/// Whether the program has a function that this worker does not: it has more than one worker.
fn is_in_program(function_id: &str) -> bool {
    inventory::iter::<FunctionEntry>
        .into_iter()
        .any(|entry| *entry.0.id == *function_id)
}

/// What an attempt of the function itself has failed with, if it is to be tried again.
fn failure_of(record: &RunRecord) -> Option<String> {
    if record.failed_attempts == 0 {
        return None;
    }
    match codec::raw(record.result.as_deref()?) {
        Ok(Decoded::Err(failure)) => Some(failure.into_error().report()),
        _ => None,
    }
}

/// What becomes of a run that has not begun if the function's filter does not want its event.
fn filtered(function: &Registered, claimed: &ClaimedRun) -> Option<Verdict> {
    match function.wants(&claimed.event_type, &claimed.payload) {
        Ok(true) => None,
        Ok(false) => Some(Verdict {
            notes: vec!["would be skipped by the function's filter".to_owned()],
            ..Verdict::default()
        }),
        Err(error) => Some(Verdict::failing(error.report())),
    }
}

fn of_function(function_id: &Arc<str>, after: Option<String>, left: usize) -> RunFilter {
    let unfinished = RunStatus::UNFINISHED
        .into_iter()
        .chain([RunStatus::Undoing]);
    let mut filter = RunFilter::new()
        .with_function(Arc::clone(function_id))
        .with_statuses(unfinished.collect::<Vec<_>>())
        // One more says whether there are others.
        .with_limit(PAGE.min(left.saturating_add(1)));
    filter.after = after;
    filter
}

fn tell(options: &Options, checked: &AtomicUsize) {
    let checked = checked.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(progress) = &options.progress {
        progress(checked);
    }
}
