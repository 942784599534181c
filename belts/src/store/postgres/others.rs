//! The runs that a batch of commits starts, watches or cancels, as the server takes them.

use std::sync::Arc;

use sqlx::postgres::PgBindIterExt as _;

use super::{batched::Placed, error::Fault, placed::visible_at, sql::Parameters, text::to_column};
use crate::store::{Commit, NewEvent, Parent, Target, Timestamp, Transition, parts::new_id};

/// A run to be started, with the place of its commit.
struct Start<'a> {
    place: i32,
    now: Timestamp,
    event: &'a NewEvent,
    function_id: &'a str,
    run_id: Arc<str>,
}

impl<'a> Start<'a> {
    fn new(place: i32, now: Timestamp, event: &'a NewEvent) -> Result<Self, Fault> {
        let Target::Function {
            function_id,
            run_id,
        } = &event.target
        else {
            return Err(Fault::Row("target of a start"));
        };
        Ok(Self {
            place,
            now,
            event,
            function_id,
            run_id: run_id.as_ref().map_or_else(new_id, Arc::clone),
        })
    }
}

/// Binds what the largest form of the function `commit` takes beyond the others.
pub(super) fn bind(parameters: Parameters, commits: &[Placed<'_>]) -> Result<Parameters, Fault> {
    let starts: Vec<Start<'_>> = kept(commits)
        .flat_map(|(place, placed)| {
            let starts = placed.commit.starts.iter();
            starts.map(move |event| Start::new(place, placed.now, event))
        })
        .collect::<Result<_, _>>()?;
    let parameters = bind_starts(parameters, &starts);
    let parameters = bind_named(parameters, commits, |commit| &commit.cancels);
    Ok(bind_named(parameters, commits, |commit| &commit.watches))
}

/// The commits with their places, but for those that remove their runs: these do nothing to others.
fn kept<'a, 'c>(commits: &'a [Placed<'c>]) -> impl Iterator<Item = (i32, &'a Placed<'c>)> {
    let placed = (1..).zip(commits);
    placed.filter(|(_, placed)| placed.commit.transition != Some(Transition::Skip))
}

/// Binds the ids of runs that commits name, with the places of these.
fn bind_named(
    parameters: Parameters,
    commits: &[Placed<'_>],
    named: impl Fn(&Commit) -> &[Arc<str>],
) -> Parameters {
    let named: Vec<(i32, &str)> = kept(commits)
        .flat_map(|(place, placed)| {
            let ids = named(placed.commit).iter();
            ids.map(move |run_id| (place, &**run_id))
        })
        .collect();
    parameters
        .bind(named.iter().map(|(place, _)| *place).bind_iter())
        .bind(named.iter().map(|(_, id)| to_column(id)).bind_iter())
}

/// Binds runs that are started, each with the place of what starts it.
pub(super) fn bind_starts_of(
    parameters: Parameters,
    now: Timestamp,
    starts: &[(i32, &NewEvent)],
) -> Result<Parameters, Fault> {
    let starts = starts
        .iter()
        .map(|(place, event)| Start::new(*place, now, event));
    let starts: Vec<Start<'_>> = starts.collect::<Result<_, _>>()?;
    Ok(bind_starts(parameters, &starts))
}

fn bind_starts(parameters: Parameters, starts: &[Start<'_>]) -> Parameters {
    let each = || starts.iter().map(|start| start.event);
    let keys = each().map(|event| event.correlation_key.as_deref().map(to_column));
    let traceparents = each().map(|event| event.traceparent.as_deref().map(to_column));
    let visible = starts
        .iter()
        .map(|start| visible_at(start.event, start.now));
    let functions = starts.iter().map(|start| to_column(start.function_id));
    let retries = each().map(|event| event.retries.map(u32::cast_signed));
    let parameters = parameters
        .bind(starts.iter().map(|start| start.place).bind_iter())
        .bind(each().map(|event| to_column(&event.id)).bind_iter())
        .bind(each().map(|event| to_column(&event.event_type)).bind_iter())
        .bind(keys.bind_iter())
        .bind(traceparents.bind_iter())
        .bind(each().map(|event| &*event.payload).bind_iter())
        .bind(each().map(|event| &event.digest.0[..]).bind_iter())
        .bind(visible.bind_iter())
        .bind(
            starts
                .iter()
                .map(|start| to_column(&start.run_id))
                .bind_iter(),
        )
        .bind(functions.bind_iter())
        .bind(each().map(|event| event.due_at.as_millis()).bind_iter())
        .bind(retries.bind_iter());
    bind_parents(parameters, each().map(|event| event.parent.as_ref()))
}

/// Binds the parents of runs: their ids, how many runs are above, and whether they are attached.
pub(super) fn bind_parents<'a>(
    parameters: Parameters,
    parents: impl Iterator<Item = Option<&'a Parent>>,
) -> Parameters {
    let parents: Vec<_> = parents.collect();
    let each = || parents.iter().copied();
    let depth = |parent: &Parent| parent.depth.cast_signed();
    parameters
        .bind(
            each()
                .map(|parent| parent.map(|parent| to_column(&parent.run_id)))
                .bind_iter(),
        )
        .bind(each().map(|parent| parent.map(depth)).bind_iter())
        .bind(
            each()
                .map(|parent| parent.map(|parent| parent.attached))
                .bind_iter(),
        )
}
