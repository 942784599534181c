//! `cancel` of all runs that match filters: counts them, asks, and cancels part by part.

use std::collections::HashSet;

use super::{
    args::CancelArgs,
    pages::count,
    place::{Filters, Place},
    print::{self, Out},
    runs::{ask, conditions},
    table::Table,
    wrong::Wrong,
};
use crate::{
    clock::{Clock as _, SystemClock},
    error::Error,
    inspect::{RunCount, chosen::leave_some_out, count::MOST, shape::ShownCancelled},
    plain::grouped,
    store::RunStatus,
};

/// The most runs that a worker cancels at one request, if it is told a number.
const PART: usize = 1_000;
/// How many parts in a row may change nothing.
const MOST_EMPTY: usize = 100;

impl CancelArgs {
    /// Checks what clap cannot: whether runs are given by id or selected, and can be cancelled.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let ended = self.which.status.iter().find(|word| {
            let unfinished = RunStatus::UNFINISHED.map(RunStatus::as_str);
            !unfinished.contains(&&***word)
        });
        if let Some(ended) = ended {
            return Err(Wrong::usage(format!(
                "`--status {ended}`: only runs that have not ended can be cancelled"
            )));
        }
        let values = [
            ("function", &self.which.function),
            ("event", &self.event),
            ("parent", &self.parent),
        ];
        if let Some((name, _)) = values.iter().find(|(_, id)| id.as_deref() == Some("")) {
            return Err(Wrong::usage(format!("`--{name}` is empty")));
        }
        let is_selected = values.iter().any(|(_, id)| id.is_some())
            || !self.which.status.is_empty()
            || !self.which.tag.is_empty()
            || leave_some_out(self.which.since, self.which.until, SystemClock.now());
        if self.ids.is_empty() && !is_selected {
            return Err(Wrong::usage(format!(
                "which runs? Give their ids, or select them with `--function`, `--status`, `--event`, `--parent`, `--tag`, or by `--since` or \
                 `--until` with a time that leaves runs out; every run that has not ended is `--status {}`",
                RunStatus::UNFINISHED.map(RunStatus::as_str).join(",")
            )));
        }
        Ok(())
    }

    fn filters(&self) -> Filters {
        let mut filters = conditions(&self.which);
        filters.event.clone_from(&self.event);
        filters.parent.clone_from(&self.parent);
        if filters.statuses.is_empty() {
            filters.statuses = RunStatus::UNFINISHED.map(|it| it.to_string()).to_vec();
        }
        filters
    }

    fn most(&self) -> Option<usize> {
        let limit = self.limit?;
        Some(usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

pub(super) async fn cancel(place: &dyn Place, asked: &CancelArgs, out: Out) -> Result<(), Wrong> {
    let counted = count(place, asked.filters(), MOST).await?;
    if counted.runs == 0 {
        print::tell("there is no such run");
    } else {
        show(&counted, out);
        if !asked.yes {
            let runs = chosen(&counted, asked.most());
            ask(
                &format!("Cancel {runs}?"),
                &format!("{runs} would be cancelled: add `--yes`"),
            )?;
        }
    }
    let done = if counted.runs == 0 {
        ShownCancelled::default()
    } else {
        all(place, asked.filters(), asked.most()).await?
    };
    if out.json {
        return print::object(&done);
    }
    if counted.runs > 0 {
        print::write(&format!("{}\n", told(&done)))?;
    }
    Ok(())
}

/// The runs that were found, by function and status; for whoever is asked, and not for who reads the result.
fn show(counted: &RunCount, out: Out) {
    let mut table = Table::new(&["FUNCTION", "STATUS", "RUNS"], 1);
    for group in &counted.groups {
        table.row(&[
            group.function_id.to_string(),
            group.status.to_string(),
            grouped(group.runs),
        ]);
    }
    for line in table.text(out.aside()).lines() {
        print::tell(line);
    }
    if counted.more {
        print::tell(&format!("and more than these {}", grouped(counted.runs)));
    }
}

/// `1 run`, `1,204 runs`, `10,000+ runs`, or `100 of 1,204 runs`.
fn chosen(counted: &RunCount, most: Option<usize>) -> String {
    let what = if counted.runs == 1 && !counted.more {
        "run"
    } else {
        "runs"
    };
    match most.filter(|most| *most < counted.runs || counted.more) {
        Some(most) => format!("{} of {counted} {what}", grouped(most)),
        None => format!("{counted} {what}"),
    }
}

/// Cancels part after part, and shows the progress if there are several.
async fn all(
    place: &dyn Place,
    mut asked: Filters,
    most: Option<usize>,
) -> Result<ShownCancelled, Wrong> {
    let mut all = ShownCancelled::default();
    let (mut marks, mut empty) = (HashSet::new(), 0);
    let mut first = None;
    loop {
        asked.limit = most.map_or(0, |most| most.saturating_sub(all.cancelled).min(PART));
        let part = place.cancel_some(asked.clone()).await;
        let is_stopped = part.is_err();
        let part = match part {
            Ok(part) => part,
            // Those that failed are stepped over, unless it got no further.
            Err(stopped) => {
                first.get_or_insert(stopped.error);
                ShownCancelled {
                    cancelled: stopped.cancelled,
                    ended: 0,
                    next: stopped
                        .next
                        .filter(|next| asked.page.as_ref() != Some(next)),
                }
            }
        };
        empty = if part.cancelled + part.ended == 0 {
            empty + 1
        } else {
            0
        };
        all.cancelled += part.cancelled;
        all.ended += part.ended;
        all.next = part.next;
        let is_full = most.is_some_and(|most| all.cancelled >= most);
        let Some(next) = all.next.clone().filter(|_| !is_full) else {
            return match first {
                Some(error) => Err(failed(error, all.cancelled, is_stopped)),
                None => Ok(all),
            };
        };
        // A server that says there is more is not asked for ever.
        if empty >= MOST_EMPTY || !marks.insert(next.clone()) {
            let told = told(&all);
            return Err(Wrong::Failed(format!(
                "{told}, but the runs do not end: is this a worker?"
            )));
        }
        print::tell(&format!("cancelled {} so far", runs(all.cancelled)));
        asked.page = Some(next);
    }
}

/// What was cancelled stays cancelled, whether it was stopped by the error or has stepped over it.
fn failed(error: Error, cancelled: usize, is_stopped: bool) -> Wrong {
    if cancelled > 0 {
        let but = if is_stopped {
            "before it stopped"
        } else {
            "and stepped over what failed"
        };
        print::tell(&format!("cancelled {} {but}", runs(cancelled)));
    }
    error.into()
}

fn told(done: &ShownCancelled) -> String {
    let cancelled = format!("cancelled {}", runs(done.cancelled));
    match done.ended {
        0 => cancelled,
        ended => format!("{cancelled}; {} had ended meanwhile", runs(ended)),
    }
}

fn runs(count: usize) -> String {
    let what = if count == 1 { "run" } else { "runs" };
    format!("{} {what}", grouped(count))
}
