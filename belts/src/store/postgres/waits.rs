//! The entries of a batch that concern waits, as the server takes them.

use sqlx::postgres::PgBindIterExt as _;

use super::{error::Fault, sql::Parameters, text::to_column};
use crate::store::{After, AwaitedType, Commit, Entry, StepKind, StepState, Wait};

/// Whether an entry opens, moves or closes a wait.
pub(super) fn concerns_waits(entry: &Entry) -> bool {
    entry.wait.is_some() || entry.kind == StepKind::Wait
}

pub(super) fn has_waits(commit: &Commit) -> bool {
    commit.entries.iter().any(concerns_waits)
}

/// A type that an entry waits for, with the place of the entry among all, or its `seq` in its run.
struct Sought<'a> {
    entry: i32,
    awaited: &'a AwaitedType,
    key: Option<&'a str>,
}

/// Binds what the larger form of the function `commit` takes beyond the other. The entries stand as they were bound there.
pub(super) fn bind(parameters: Parameters, entries: &[(i32, &Entry)]) -> Result<Parameters, Fault> {
    let concerned: Vec<(i32, &Entry)> = (1..)
        .zip(entries)
        .map(|(nth, (_, entry))| (nth, *entry))
        .filter(|(_, entry)| concerns_waits(entry))
        .collect();
    let json = |entry: &Entry| entry.wait.as_ref().map(serde_json::to_string).transpose();
    let waits: Vec<Option<String>> = concerned
        .iter()
        .map(|(_, entry)| json(entry))
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::Row("wait of a step"))?;
    let awaited: Vec<Sought<'_>> = concerned
        .iter()
        .filter(|(_, entry)| entry.state == StepState::Waiting)
        .flat_map(|(nth, entry)| sought(*nth, entry))
        .collect();
    let parameters = parameters
        .bind(concerned.iter().map(|(nth, _)| *nth).bind_iter())
        .bind(waits.iter().map(Option::as_deref).bind_iter());
    Ok(bind_sought(parameters, &awaited))
}

/// Binds what entries of one run wait for, if they do so again.
pub(super) fn bind_again(parameters: Parameters, entries: &[Entry]) -> Parameters {
    let awaited: Vec<Sought<'_>> = entries
        .iter()
        .flat_map(|entry| sought(entry.seq.cast_signed(), entry))
        .collect();
    bind_sought(parameters, &awaited)
}

fn sought(number: i32, entry: &Entry) -> impl Iterator<Item = Sought<'_>> {
    entry.wait.iter().flat_map(move |wait| {
        let Wait::Event { types, key } = wait;
        types.iter().map(move |awaited| Sought {
            entry: number,
            awaited,
            key: key.as_deref(),
        })
    })
}

fn bind_sought(parameters: Parameters, awaited: &[Sought<'_>]) -> Parameters {
    let behind = || awaited.iter().map(|awaited| behind(awaited.awaited.after));
    parameters
        .bind(awaited.iter().map(|awaited| awaited.entry).bind_iter())
        .bind(
            awaited
                .iter()
                .map(|awaited| to_column(&awaited.awaited.event_type))
                .bind_iter(),
        )
        .bind(
            awaited
                .iter()
                .map(|awaited| awaited.key.map(to_column))
                .bind_iter(),
        )
        .bind(behind().map(|(word, _)| word).bind_iter())
        .bind(behind().map(|(_, value)| value).bind_iter())
}

/// The word for what a wait looks behind, and the number that belongs to it.
fn behind(after: After) -> (&'static str, Option<i64>) {
    match after {
        After::Start => ("start", None),
        After::Now => ("now", None),
        After::Time(time) => ("time", Some(time.as_millis())),
        After::Place(place) => ("place", Some(place)),
    }
}
