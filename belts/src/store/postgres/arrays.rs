//! Commits as the server takes them: one array for each field.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    rows::{kind_word, state_word},
    sessions::Sessions,
    sql::Parameters,
    text::to_column,
};
use crate::store::{Commit, Entry, Lease, RunStatus, Timestamp, Transition};

/// The word by which the server knows that a run is to be removed.
const SKIPPED: &str = "skipped";

/// A commit and where it stands among all of its batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed<'a> {
    pub(super) index: usize,
    pub(super) commit: &'a Commit,
    pub(super) now: Timestamp,
}

impl Placed<'_> {
    /// Whether the run is due right after.
    pub(super) fn leaves_due(&self) -> bool {
        let ending = self.commit.transition.as_ref().map(Ending::of);
        ending.is_some_and(|ending| ending.leaves_due(self.now))
    }
}

/// The new state of a run that gives its lease back.
#[derive(Clone, Copy)]
struct Ending<'a> {
    status: &'static str,
    finishes: bool,
    due_at: Option<Timestamp>,
    failures: Option<u32>,
    result: Option<&'a [u8]>,
}

impl<'a> Ending<'a> {
    fn to(status: RunStatus) -> Self {
        Self {
            status: status.as_str(),
            finishes: status.is_finished(),
            due_at: None,
            failures: None,
            result: None,
        }
    }

    fn leaves_due(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| due_at <= now)
    }

    fn of(transition: &'a Transition) -> Self {
        match transition {
            Transition::Suspend { due_at } => Self {
                due_at: Some(*due_at),
                ..Self::to(RunStatus::Suspended)
            },
            Transition::Retry {
                due_at,
                failed_attempts,
                error,
            } => Self {
                due_at: Some(*due_at),
                failures: Some(*failed_attempts),
                result: Some(error),
                ..Self::to(RunStatus::Suspended)
            },
            Transition::Complete { output } => Self {
                result: Some(output),
                ..Self::to(RunStatus::Completed)
            },
            Transition::Fail {
                failed_attempts,
                error,
            } => Self {
                failures: Some(*failed_attempts),
                result: Some(error),
                ..Self::to(RunStatus::Failed)
            },
            Transition::Stop => Self::to(RunStatus::Stopped),
            Transition::Skip => Self {
                status: SKIPPED,
                ..Self::to(RunStatus::Cancelled)
            },
        }
    }
}

/// About how many bytes a commit is.
pub(super) fn size(commit: &Commit) -> usize {
    let result = commit
        .transition
        .as_ref()
        .and_then(|transition| Ending::of(transition).result);
    let entries = commit
        .entries
        .iter()
        .map(|entry| 100 + entry.path.len() + entry.value.len());
    result.map_or(0, <[u8]>::len) + entries.sum::<usize>()
}

/// The bytes of a commit's largest value.
pub(super) fn largest(commit: &Commit) -> usize {
    let transition = commit.transition.as_ref();
    let result = transition.and_then(|transition| Ending::of(transition).result);
    let entries = commit.entries.iter().map(|entry| entry.value.len());
    entries.max().max(result.map(<[u8]>::len)).unwrap_or(0)
}

/// Binds one entry to the parameters of the statement `step`.
pub(super) fn bind_step(lease: Lease, entry: &Entry) -> Parameters {
    Parameters::default()
        .bind(lease.run)
        .bind(lease.worker.0)
        .bind(lease.token)
        .bind(entry.started_at.as_millis())
        .bind(entry.due_at.map(Timestamp::as_millis))
        .bind(entry.finished_at.map(Timestamp::as_millis))
        .bind(entry.seq.cast_signed())
        .bind(entry.attempts.cast_signed())
        .bind(kind_word(entry.kind))
        .bind(state_word(entry.state))
        .bind(to_column(&entry.path))
        .bind(to_column(&entry.type_name))
        .bind(&*entry.value)
}

/// Binds commits to the parameters of the function `commit`, from its third on.
pub(super) fn bind(parameters: Parameters, commits: &[Placed<'_>]) -> Parameters {
    let leases = || commits.iter().map(|placed| placed.commit.lease);
    let parameters = parameters
        .bind(leases().map(|lease| lease.run).bind_iter())
        .bind(leases().map(|lease| lease.worker.0).bind_iter())
        .bind(leases().map(|lease| lease.token).bind_iter());
    // The function's parameters are those of earlier versions, which told the sessions of a batch as well.
    let parameters = Sessions::default().bind(parameters);
    bind_entries(bind_endings(parameters, commits), &entries(commits))
}

fn bind_endings(parameters: Parameters, commits: &[Placed<'_>]) -> Parameters {
    let endings: Vec<(i32, Timestamp, Ending<'_>)> = (1..)
        .zip(commits)
        .filter_map(|(place, placed)| {
            Some((
                place,
                placed.now,
                Ending::of(placed.commit.transition.as_ref()?),
            ))
        })
        .collect();
    let each = || endings.iter().map(|(_, _, ending)| ending);
    let dated = || endings.iter().map(|(_, now, ending)| (*now, ending));
    parameters
        .bind(endings.iter().map(|(place, ..)| *place).bind_iter())
        .bind(each().map(|ending| ending.status).bind_iter())
        .bind(
            each()
                .map(|ending| ending.due_at.map(Timestamp::as_millis))
                .bind_iter(),
        )
        .bind(
            each()
                .map(|ending| ending.failures.map(u32::cast_signed))
                .bind_iter(),
        )
        .bind(each().map(|ending| ending.result).bind_iter())
        .bind(
            dated()
                .map(|(now, ending)| ending.finishes.then_some(now.as_millis()))
                .bind_iter(),
        )
        .bind(
            dated()
                .map(|(now, ending)| ending.leaves_due(now))
                .bind_iter(),
        )
}

/// The entries with the places of their commits, sorted as the table is. Of two in one place the later stays.
fn entries<'a>(commits: &[Placed<'a>]) -> Vec<(i32, &'a Entry)> {
    let mut sorted: Vec<(i64, i32, &Entry)> = (1..)
        .zip(commits)
        .filter(|(_, placed)| placed.commit.transition != Some(Transition::Skip))
        .flat_map(|(place, placed)| {
            let run = placed.commit.lease.run;
            placed
                .commit
                .entries
                .iter()
                .map(move |entry| (run, place, entry))
        })
        .collect();
    if sorted.len() > 1 {
        // Stable, and turned around so that the later one comes first.
        sorted.reverse();
        sorted.sort_by_key(|(run, _, entry)| (*run, entry.seq));
        sorted.dedup_by_key(|(run, _, entry)| (*run, entry.seq));
    }
    sorted
        .into_iter()
        .map(|(_, place, entry)| (place, entry))
        .collect()
}

fn bind_entries(parameters: Parameters, entries: &[(i32, &Entry)]) -> Parameters {
    let each = || entries.iter().map(|(_, entry)| *entry);
    parameters
        .bind(entries.iter().map(|(place, _)| *place).bind_iter())
        .bind(each().map(|entry| entry.seq.cast_signed()).bind_iter())
        .bind(each().map(|entry| entry.attempts.cast_signed()).bind_iter())
        .bind(
            each()
                .map(|entry| entry.due_at.map(Timestamp::as_millis))
                .bind_iter(),
        )
        .bind(each().map(|entry| entry.started_at.as_millis()).bind_iter())
        .bind(
            each()
                .map(|entry| entry.finished_at.map(Timestamp::as_millis))
                .bind_iter(),
        )
        .bind(each().map(|entry| kind_word(entry.kind)).bind_iter())
        .bind(each().map(|entry| state_word(entry.state)).bind_iter())
        .bind(each().map(|entry| to_column(&entry.path)).bind_iter())
        .bind(each().map(|entry| to_column(&entry.type_name)).bind_iter())
        .bind(each().map(|entry| &*entry.value).bind_iter())
}
