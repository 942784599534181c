//! The part of lines in a claim: which of their runs may be taken, and when.

use std::{collections::HashSet, sync::Arc};

use rusqlite::OptionalExtension as _;

use super::{
    error::Fault,
    head::{Head, Turn, earlier},
    lines::{Alone, Standing, Visited},
    places::Places,
    tx::Tx,
};
use crate::store::{Claim, Claimed, FunctionCapacity, Timestamp};

/// The lines that a claim has visited.
#[derive(Debug, Default)]
pub(super) struct Lines {
    visited: Vec<Visited>,
    places: Places,
    /// How many runs were taken of functions with lines, by their place in the capacity.
    taken: Vec<usize>,
    /// Whether there are lines that were not visited and may have work.
    more: bool,
}

impl Lines {
    /// Whether a run may be taken.
    pub(super) fn have_place(&self, turn: &Turn, request: &Claim) -> bool {
        let Some((place, line)) = turn.in_line else {
            return true;
        };
        let taken = self.taken.get(place).copied().unwrap_or(0);
        let lanes = line.map_or(&[][..], |line| self.visited[line].lanes());
        taken < request.capacity.functions[place].limit && self.places.have(place, lanes)
    }

    /// Takes note of a run that was taken.
    pub(super) fn take(&mut self, turn: &Turn) {
        let Some((place, line)) = turn.in_line else {
            return;
        };
        if self.taken.len() <= place {
            self.taken.resize(place + 1, 0);
        }
        self.taken[place] += 1;
        if let Some(line) = line {
            self.visited[line].serve();
            self.places.take(self.visited[line].lanes());
        }
    }
}

impl Tx<'_> {
    /// Looks which lines are to be visited, and lets go the runs of functions whose code has none any more.
    pub(super) fn begin_lines(&mut self, request: &Claim) -> Result<(), Fault> {
        if !self.has_lines()? {
            return Ok(());
        }
        let functions = self.functions_with_lines()?;
        self.settle_freed(&functions)?;
        for asked in request.capacity.functions.iter() {
            if asked.lanes.is_none()
                && let Some(function) = self.names.find(&asked.function_id)?
                && functions.contains(&function)
            {
                self.leave_lines(function)?;
            }
        }
        Ok(())
    }

    /// Adds the runs of functions with lines that may be taken, each in its turn.
    pub(super) fn turns_in_lines(
        &mut self,
        wanted: &[(&Head, usize)],
        request: &Claim,
        paused: &HashSet<i64>,
        claimed: &mut Claimed,
        turns: &mut Vec<Turn>,
        lines: &mut Lines,
    ) -> Result<(), Fault> {
        let functions = Arc::clone(&request.capacity.functions);
        let before = turns.len();
        for (place, capacity) in functions.iter().enumerate() {
            let most = capacity.limit.min(request.capacity.limit);
            if capacity.lanes.is_none() || most == 0 {
                continue;
            }
            let Some(function) = self.names.find(&capacity.function_id)? else {
                continue;
            };
            if paused.contains(&function) {
                continue;
            }
            let heads = wanted
                .iter()
                .filter(|(_, of)| *of == place)
                .map(|(head, _)| *head);
            let heads: Vec<&Head> = heads.collect();
            let mut alone = Vec::new();
            for head in &heads {
                self.enter_due(function, head.event_type, request.now)?;
                self.due_alone(head, most, request.now, &mut alone, &mut claimed.next_due)?;
            }
            lines.more |= self.unpark_raised(function, capacity)?;
            let mut order = Vec::new();
            for event_type in self.types_in_lines(function)? {
                if !self.reads(capacity, event_type)? {
                    continue;
                }
                let of = (function, event_type, place);
                let visited = self.visit_lines(of, capacity, most, &mut lines.places)?;
                let first = lines.visited.len();
                self.rounds(&visited, first, most, &lines.places, &mut order, &mut alone)?;
                lines.visited.extend(visited);
            }
            alone.sort_unstable();
            let first = alone.first().map_or(0, |alone| alone.line_at);
            let rounds = alone.iter().enumerate();
            order.extend(rounds.map(|(round, alone)| Standing::alone(round, first, alone)));
            order.sort_unstable();
            turns.extend(order.into_iter().enumerate().map(|(nth, standing)| Turn {
                nth,
                due_at: standing.due_at,
                number: standing.number,
                in_line: Some((place, standing.line)),
            }));
        }
        if turns.len() > before {
            turns.sort_unstable();
        }
        Ok(())
    }

    /// The runs behind a head that are due and stand in no line.
    fn due_alone(
        &self,
        head: &Head,
        most: usize,
        now: Timestamp,
        alone: &mut Vec<Alone>,
        next_due: &mut Option<Timestamp>,
    ) -> Result<(), Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT due_at, number, shift FROM runs WHERE function = ?1 AND event_type = ?2 AND due_at IS NOT NULL
             ORDER BY due_at, number",
        )?;
        let mut found = statement.query([head.function, head.event_type])?;
        let mut count = 0;
        while let Some(row) = found.next()? {
            let due_at: i64 = row.get(0)?;
            let stands: Option<i64> = row.get(2)?;
            if due_at > now.as_millis() || stands.is_some() || count > most {
                *next_due = earlier(*next_due, Some(Timestamp::from_millis(due_at)));
                break;
            }
            count += 1;
            alone.push(Alone {
                line_at: due_at,
                number: row.get(1)?,
                due_at,
                line: None,
            });
        }
        Ok(())
    }

    fn reads(&mut self, capacity: &FunctionCapacity, event_type: i64) -> Result<bool, Fault> {
        if capacity.event_types.is_none() {
            return Ok(true);
        }
        match self.names.name(event_type) {
            Ok(name) => Ok(capacity.reads(&name)),
            // Nobody can read a type whose name is lost: its runs are taken, and set aside.
            Err(fault) if fault.is_of_the_row() => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    /// Gives the lines that were visited their next turn, and says when there is more to take.
    pub(super) fn end_lines(
        &mut self,
        lines: &Lines,
        request: &Claim,
        claimed: &mut Claimed,
    ) -> Result<(), Fault> {
        let functions = &request.capacity.functions;
        let more = self.settle_lines(&lines.visited, functions, &lines.places, request.now)?;
        if more || lines.more {
            claimed.next_due = earlier(claimed.next_due, Some(request.now));
        }
        Ok(())
    }

    /// Whether a run that is claimed by its name has a place in each of its lanes.
    pub(super) fn has_place(
        &mut self,
        number: i64,
        function_id: &str,
        request: &Claim,
    ) -> Result<bool, Fault> {
        let mut functions = request.capacity.functions.iter();
        let asked = functions.find(|asked| *asked.function_id == *function_id);
        let Some(capacity) = asked.filter(|asked| asked.lanes.is_some()) else {
            return Ok(true);
        };
        let lanes = self.lanes_of_run(number)?;
        let mut places = Places::default();
        self.count_places(&lanes, (0, capacity), &mut places)?;
        Ok(places.have(0, &lanes))
    }

    /// The functions that have lines.
    fn functions_with_lines(&self) -> Result<Vec<i64>, Fault> {
        let mut functions = Vec::new();
        let mut next = self.connection.prepare_cached(
            "SELECT function FROM lines WHERE function > ?1 ORDER BY function LIMIT 1",
        )?;
        let mut last = i64::MIN;
        while let Some(function) = next.query_row([last], |row| row.get(0)).optional()? {
            functions.push(function);
            last = function;
        }
        Ok(functions)
    }

    /// The event types of the lines of a function.
    fn types_in_lines(&self, function: i64) -> Result<Vec<i64>, Fault> {
        let mut types = Vec::new();
        let mut next = self.connection.prepare_cached(
            "SELECT event_type FROM lines WHERE function = ?1 AND event_type > ?2 ORDER BY event_type LIMIT 1",
        )?;
        let mut last = i64::MIN;
        while let Some(event_type) = next
            .query_row([function, last], |row| row.get(0))
            .optional()?
        {
            types.push(event_type);
            last = event_type;
        }
        Ok(types)
    }
}
