//! Commits as the server takes them: one array for each field.

use sqlx::postgres::PgBindIterExt as _;

use super::{
    batched::Placed,
    error::Fault,
    others,
    rows::{kind_word, state_word},
    sessions::Sessions,
    sql::Parameters,
    text::to_column,
    waits,
};
use crate::store::{Commit, Ending, Entry, Lease, NewEvent, Timestamp, Transition};

/// The word by which the server knows that a run is to be removed.
const SKIPPED: &str = "skipped";

/// That for a run that is suspended until its time, whatever arrives.
const PUT_OFF: &str = "put-off";

/// The output or failure that a commit writes, if any.
fn result(commit: &Commit) -> Option<&[u8]> {
    let ending = commit.transition.as_ref()?.ending()?;
    ending.result.map(|result| &**result)
}

/// About how many bytes a commit is.
pub(super) fn size(commit: &Commit) -> usize {
    let entries = commit
        .entries
        .iter()
        .map(|entry| 100 + entry.path.len() + entry.value.len());
    let starts = commit.starts.iter().map(start_size);
    result(commit).map_or(0, <[u8]>::len) + entries.sum::<usize>() + starts.sum::<usize>()
}

/// About how many bytes a run to be started is.
pub(super) fn start_size(event: &NewEvent) -> usize {
    300 + event.payload.len()
}

/// The bytes of a commit's largest value.
pub(super) fn largest(commit: &Commit) -> usize {
    let entries = commit.entries.iter().map(|entry| entry.value.len());
    let starts = commit.starts.iter().map(|event| event.payload.len());
    entries
        .chain(starts)
        .max()
        .max(result(commit).map(<[u8]>::len))
        .unwrap_or(0)
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
        .bind(state_word(entry))
        .bind(to_column(&entry.path))
        .bind(to_column(&entry.type_name))
        .bind(&*entry.value)
}

/// What a batch of commits is beyond the entries and the transitions: each form takes what the one before takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Plain,
    /// Some entries concern waits.
    Waits,
    /// Some commits start, watch or cancel other runs.
    Others,
}

impl Form {
    pub(super) fn of(commits: &[Placed<'_>]) -> Self {
        let each = || commits.iter().map(|placed| placed.commit);
        if each().any(Commit::concerns_others) {
            Self::Others
        } else if each().any(waits::has_waits) {
            Self::Waits
        } else {
            Self::Plain
        }
    }
}

/// Binds commits to the parameters of the function `commit` in one of its forms, from its third on.
pub(super) fn bind(
    parameters: Parameters,
    commits: &[Placed<'_>],
    form: Form,
) -> Result<Parameters, Fault> {
    let leases = || commits.iter().map(|placed| placed.commit.lease);
    let parameters = parameters
        .bind(leases().map(|lease| lease.run).bind_iter())
        .bind(leases().map(|lease| lease.worker.0).bind_iter())
        .bind(leases().map(|lease| lease.token).bind_iter());
    let mut sessions = Sessions::default();
    for placed in commits {
        sessions.add(placed.commit.lease.worker, placed.now);
    }
    let entries = entries(commits);
    let parameters = bind_endings(sessions.bind(parameters), commits);
    let mut parameters = bind_entries(parameters, &entries);
    if form >= Form::Waits {
        parameters = waits::bind(parameters, &entries)?;
    }
    if form >= Form::Others {
        parameters = others::bind(parameters, commits)?;
    }
    Ok(parameters)
}

fn bind_endings(parameters: Parameters, commits: &[Placed<'_>]) -> Parameters {
    // `None` stands for a run that is removed.
    let endings: Vec<(i32, Timestamp, Option<Ending<'_>>)> = (1..)
        .zip(commits)
        .filter_map(|(place, placed)| {
            let transition = placed.commit.transition.as_ref()?;
            Some((place, placed.now, transition.ending()))
        })
        .collect();
    let each = || endings.iter().map(|(_, _, ending)| ending.as_ref());
    let dated = || endings.iter().map(|(_, now, ending)| (*now, ending));
    let status = |ending: Option<&Ending<'_>>| match ending {
        None => SKIPPED,
        Some(ending) if ending.keeps_time => PUT_OFF,
        Some(ending) => ending.status.as_str(),
    };
    let due_at = |ending: Option<&Ending<'_>>| Some(ending?.due_at?.as_millis());
    let failures = |ending: Option<&Ending<'_>>| Some(ending?.failed_attempts?.cast_signed());
    let finished_at = |(now, ending): (Timestamp, &Option<Ending<'_>>)| {
        let finished_at = ending.map_or(Some(now), |ending| ending.finished_at(now));
        finished_at.map(Timestamp::as_millis)
    };
    let is_due = |(now, ending): (Timestamp, &Option<Ending<'_>>)| {
        ending.is_some_and(|ending| ending.is_due(now))
    };
    let results = endings.iter().map(|(_, _, ending)| {
        let result = ending.as_ref().and_then(|ending| ending.result);
        result.map(|result| &**result)
    });
    parameters
        .bind(endings.iter().map(|(place, ..)| *place).bind_iter())
        .bind(each().map(status).bind_iter())
        .bind(each().map(due_at).bind_iter())
        .bind(each().map(failures).bind_iter())
        .bind(results.bind_iter())
        .bind(dated().map(finished_at).bind_iter())
        .bind(dated().map(is_due).bind_iter())
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
        .bind(each().map(|entry| state_word(entry)).bind_iter())
        .bind(each().map(|entry| to_column(&entry.path)).bind_iter())
        .bind(each().map(|entry| to_column(&entry.type_name)).bind_iter())
        .bind(each().map(|entry| &*entry.value).bind_iter())
}
