//! Lines in memory: who counts for which limits of runs at once, which are full, and in what order lines take turns.
//!
//! A place is a lease: places are counted whenever they are asked for, and nothing else is kept of them.

use std::{collections::HashMap, sync::Arc};

use super::{
    line::{Lanes, Line},
    tables::{Run, Tables},
};
use crate::store::{
    Flow, FunctionCapacity, InLine, Lane, Timestamp,
    parts::lanes::{lanes_of, micros, next_turn},
};

/// How many places are taken.
pub(super) struct Places<'a>(HashMap<(&'a str, &'a str), u32>);

impl<'a> Places<'a> {
    pub(super) fn of(tables: &'a Tables) -> Self {
        let mut places = Self(HashMap::new());
        let driven = tables.sessions.values().flat_map(|session| &session.runs);
        for run in driven.filter_map(|number| tables.runs.get(number)) {
            places.take(run);
        }
        places
    }

    pub(super) fn take(&mut self, run: &'a Run) {
        for lane in run.lanes() {
            *self.0.entry((&lane.pool, &lane.key)).or_default() += 1;
        }
    }

    fn held(&self, lane: &Lane) -> u32 {
        let held = self.0.get(&(&*lane.pool, &*lane.key));
        held.copied().unwrap_or(0)
    }

    /// Whether there is a place for a run in each of its limits.
    pub(super) fn have_room(&self, run: &Run, capacity: &FunctionCapacity) -> bool {
        let mut lanes = run.lanes().iter();
        lanes.all(|lane| {
            let most = capacity.most_of(&lane.pool);
            most.is_none_or(|most| self.held(lane) < most)
        })
    }
}

impl Run {
    fn lanes(&self) -> &[Lane] {
        self.line.as_ref().map_or(&[], |line| &line.lanes)
    }

    fn lane_keys(&self) -> Lanes {
        let lanes = self.lanes().iter();
        lanes
            .map(|lane| (Arc::clone(&lane.pool), Arc::clone(&lane.key)))
            .collect()
    }

    /// By what it stands in its line.
    fn place(&self, due_at: Timestamp) -> i64 {
        let shift = self.line.as_ref().map_or(0, |line| line.shift);
        micros(due_at).saturating_sub(shift.saturating_mul(1_000))
    }

    pub(super) fn counts(&self) -> bool {
        !self.lanes().is_empty()
    }
}

impl Tables {
    /// The runs of a function that are due, in the order of taking: its lines go round, and within a line the longest due goes first.
    pub(super) fn due_in_lines(
        &self,
        capacity: &FunctionCapacity,
        function: usize,
        now: Timestamp,
    ) -> Vec<(Timestamp, i64)> {
        let due = self.functions[function].due(now, usize::MAX, |event| capacity.reads(event));
        let mut lines: HashMap<Lanes, Vec<(i64, i64, Timestamp)>> = HashMap::new();
        for (due_at, number) in due {
            let run = &self.runs[&number];
            let line = lines.entry(run.lane_keys()).or_default();
            line.push((run.place(due_at), number, due_at));
        }
        let mut order = Vec::new();
        for (lanes, mut runs) in lines {
            runs.sort_unstable();
            let served = self.lines.served.get(&(function, lanes));
            let head = runs.first().map_or(0, |(place, ..)| *place);
            let at = served.map_or(head, |served| head.max(*served));
            let rounds = runs.into_iter().enumerate();
            order.extend(
                rounds.map(|(round, (place, number, due_at))| (round, at, place, number, due_at)),
            );
        }
        order.sort_unstable();
        order
            .into_iter()
            .map(|(.., number, due_at)| (due_at, number))
            .collect()
    }

    /// When the next run of a function with lines can go on, unless a limit holds it.
    pub(super) fn next_in_lines(
        &self,
        capacity: &FunctionCapacity,
        function: usize,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let places = Places::of(self);
        let due = self.functions[function].due.iter();
        let mut due: Vec<_> = due
            .filter(|(event_type, _)| capacity.reads(event_type))
            .flat_map(|(_, runs)| runs)
            .collect();
        due.sort_unstable();
        let goes_on = |(due_at, number): &&(Timestamp, i64)| {
            *due_at > now || places.have_room(&self.runs[number], capacity)
        };
        due.into_iter().find(goes_on).map(|(due_at, _)| *due_at)
    }

    /// Takes note of the limits of a claim.
    pub(super) fn hear_of_limits(&mut self, capacity: &FunctionCapacity) {
        for lane in capacity.lanes.iter().flat_map(|lanes| lanes.iter()) {
            self.lines.limits.insert(Arc::clone(&lane.pool), lane.limit);
        }
    }

    /// Sends the line of a run to the end of the round.
    pub(super) fn serve(&mut self, number: i64, now: Timestamp) {
        let Some(run) = self.runs.get(&number).filter(|run| run.line.is_some()) else {
            return;
        };
        let key = (run.function, run.lane_keys());
        self.lines.last_turn = next_turn(self.lines.last_turn, now);
        self.lines.served.insert(key, self.lines.last_turn);
    }

    /// Forgets the turns of lines that nobody stands in.
    pub(super) fn tidy_lines(&mut self, now: Timestamp) {
        if self.lines.served.is_empty() {
            return;
        }
        let now = micros(now);
        let unfinished = self.runs.values().filter(|run| !run.status.is_finished());
        let lined = unfinished.map(|run| (run.function, run.lane_keys()));
        let lined: std::collections::HashSet<_> = lined.collect();
        self.lines
            .served
            .retain(|line, served| *served > now || lined.contains(line));
    }

    /// Lets a run stand in line, unless it stands in one already; whether its lease has ended by that.
    pub(super) fn stand(&mut self, number: i64, flow: &Flow, now: Timestamp) -> bool {
        let Some(run) = self.runs.get_mut(&number).filter(|run| run.line.is_none()) else {
            return false;
        };
        run.line = Some(Line {
            lanes: lanes_of(flow).into_iter().cloned().collect(),
            shift: flow.shift_millis(),
        });
        if run.worker.is_none() {
            return false;
        }
        let (status, has_begun) = (run.status_at_rest(), run.has_begun());
        // Its time is kept by whether it has started.
        self.drop_time(number);
        if !has_begun && let Some(run) = self.runs.get_mut(&number) {
            run.started_at = None;
        }
        self.enqueue(number, status, now);
        self.keep_time(number);
        true
    }

    /// Which limit keeps a run waiting.
    pub(super) fn in_line(&self, run: &Run) -> Option<InLine> {
        let seen = self.seen?;
        run.due_at.filter(|due_at| *due_at <= seen)?;
        let places = Places::of(self);
        run.lanes().iter().find_map(|lane| {
            let held = places.held(lane);
            let limit = *self.lines.limits.get(&lane.pool)?;
            let lane = Lane {
                limit,
                ..lane.clone()
            };
            (held >= limit).then(|| InLine::new(lane, held))
        })
    }
}
