//! The runs that a batch of events starts, and which of them a worker has room for.

use std::{collections::HashMap, sync::Arc};

use super::{
    placed::Placed,
    queue::{MAX_STATEMENT, fitting},
    sessions::Sessions,
    subscribers::Subscribers,
};
use crate::store::{
    Capacity, Target, WorkerId,
    parts::{Budget, new_id},
};

/// In place of the place of an event that starts a single function.
const NO_PLACE: i64 = -1;
/// In place of that of an event which is given one after the publish.
pub(super) const NOT_YET: i64 = 0;

/// What is to be written for a batch of events.
#[derive(Debug)]
pub(super) struct Plan {
    /// The version of the subscriptions that this rests on.
    pub(super) version: i64,
    /// The runs, in the order of their events.
    runs: Vec<PlannedRun>,
    /// Where the runs of each event begin, and where those of the last one end.
    starts: Vec<usize>,
    /// Where each event stands among those that waits may find, before it has a place.
    pub(super) places: Vec<Option<i64>>,
    /// The indices of the events, sorted by id. An id that comes twice has to see what became of it the first time, so its
    /// events are in different rounds.
    pub(super) rounds: Vec<Vec<usize>>,
    /// The workers that have room.
    pub(super) sessions: Sessions,
}

#[derive(Debug)]
pub(super) struct PlannedRun {
    pub(super) event: usize,
    /// Its place among the runs of its event, counted from 1.
    pub(super) rank: i32,
    pub(super) id: Arc<str>,
    pub(super) function_id: Arc<str>,
    /// Whether its time is limited.
    pub(super) limited: bool,
    /// Who drives it, if that session lives.
    pub(super) worker: Option<WorkerId>,
}

impl Plan {
    pub(super) fn new(
        events: &[Placed<'_>],
        capacities: &[Option<&Capacity>],
        subscribers: &Subscribers,
    ) -> Self {
        let mut plan = Self {
            version: subscribers.version,
            runs: Vec::with_capacity(events.len()),
            starts: Vec::with_capacity(events.len() + 1),
            places: events
                .iter()
                .map(|placed| place(placed, subscribers))
                .collect(),
            rounds: rounds(events),
            sessions: Sessions::default(),
        };
        let mut claims: Vec<_> = capacities
            .iter()
            .map(|capacity| capacity.map(|capacity| (capacity.worker, Budget::new(capacity))))
            .collect();
        for (index, placed) in events.iter().enumerate() {
            plan.starts.push(plan.runs.len());
            let claim = claims[placed.request]
                .as_mut()
                .filter(|_| placed.event.due_at <= placed.now);
            plan.add(index, placed, claim, subscribers);
        }
        plan.starts.push(plan.runs.len());
        plan
    }

    fn add(
        &mut self,
        index: usize,
        placed: &Placed<'_>,
        mut claim: Option<&mut (WorkerId, Budget)>,
        subscribers: &Subscribers,
    ) {
        let mut ranks = 1..;
        let mut start = |function_id: &Arc<str>, run_id: Option<&Arc<str>>| {
            // Flow options are asked first.
            let flows = placed.event.flow_of(function_id).is_some();
            let claim = claim
                .as_deref_mut()
                .filter(|_| !flows && !subscribers.has_paused(function_id));
            let worker = claim.and_then(|(worker, budget)| {
                budget
                    .take(function_id, &placed.event.event_type)
                    .then_some(*worker)
            });
            if let Some(worker) = worker {
                self.sessions.add(worker, placed.now);
            }
            self.runs.push(PlannedRun {
                event: index,
                rank: ranks.next().unwrap_or_default(),
                id: run_id.map_or_else(new_id, Arc::clone),
                function_id: Arc::clone(function_id),
                limited: subscribers.has_limited(function_id),
                worker,
            });
        };
        match &placed.event.target {
            Target::Function {
                function_id,
                run_id,
            } => start(function_id, run_id.as_ref()),
            Target::Subscribers { except } => {
                let functions = subscribers.of(&placed.event.event_type).iter();
                for function_id in functions.filter(|function_id| !except.contains(function_id)) {
                    start(function_id, None);
                }
            }
        }
    }

    pub(super) fn runs_of_event(&self, event: usize) -> &[PlannedRun] {
        &self.runs[self.starts[event]..self.starts[event + 1]]
    }

    /// The runs of a round, sorted by id, with the places of their events in it, counted from 1.
    pub(super) fn runs_of(&self, round: &[usize]) -> Vec<(i32, &PlannedRun)> {
        let mut runs: Vec<_> = (1..)
            .zip(round)
            .flat_map(|(place, event)| {
                self.runs_of_event(*event)
                    .iter()
                    .map(move |run| (place, run))
            })
            .collect();
        // Of two that ask for one id, the first in the batch gets it.
        runs.sort_by(|(_, a), (_, b)| (&a.id, a.event).cmp(&(&b.id, b.event)));
        runs
    }
}

impl PlannedRun {
    /// The number that the run has if the event has that one.
    pub(super) fn number(&self, event: i64) -> i64 {
        event << 16 | i64::from(self.rank)
    }
}

/// A place that is still to be given, or none for an event that no wait finds.
fn place(placed: &Placed<'_>, subscribers: &Subscribers) -> Option<i64> {
    match placed.event.target {
        Target::Function { .. } => Some(NO_PLACE),
        Target::Subscribers { .. } => subscribers
            .awaits(&placed.event.event_type)
            .then_some(NOT_YET),
    }
}

/// Sorts the events by id, so that of two publishers with the same ids one waits for the other and not both.
fn rounds(events: &[Placed<'_>]) -> Vec<Vec<usize>> {
    if events.len() == 1 {
        return vec![vec![0]];
    }
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(events.len());
    for (index, placed) in events.iter().enumerate() {
        let times = seen.entry(&placed.event.id).or_default();
        if rounds.len() == *times {
            rounds.push(Vec::with_capacity(events.len()));
        }
        rounds[*times].push(index);
        *times += 1;
    }
    for round in &mut rounds {
        round.sort_unstable_by(|a, b| events[*a].event.id.cmp(&events[*b].event.id));
    }
    let size = |index: &usize| events[*index].event.payload.len();
    if events
        .iter()
        .map(|placed| placed.event.payload.len())
        .sum::<usize>()
        <= MAX_STATEMENT
    {
        return rounds;
    }
    let mut parts = Vec::new();
    for round in rounds {
        let mut rest = &*round;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(fitting(rest, size));
            parts.push(part.to_vec());
            rest = later;
        }
    }
    parts
}
