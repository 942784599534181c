//! Lines in a SQLite file: where runs stand that count for limits of runs at once, and which may be taken.
//!
//! A place is a lease: places are counted in the index of leased runs. A line whose lane is full is parked there, where no claim looks
//! at it, until a trigger says that a lease of that lane has ended.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{error::Fault, places::Places, rows::status_number, tx::Tx};
use crate::store::{
    Flow, FunctionCapacity, RunStatus, Timestamp,
    parts::lanes::{lane_of, lane_text, lanes_of, micros, next_turn},
};

/// How many due runs of a function and event type are put into their lines by one claim.
const MOST_ENTERED: i64 = 1_024;

/// How many lines one claim visits.
const MOST_VISITED: usize = 4_096;

/// How many lines are visited anew by one claim for each limit that was raised.
const MOST_RAISED: i64 = 64;

/// A line with work, which a claim has visited.
#[derive(Debug)]
pub(super) struct Visited {
    id: i64,
    at: i64,
    lanes: Vec<String>,
    function: i64,
    /// The place of its function in the capacity.
    place: usize,
    served: bool,
}

/// A run that may be taken from a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    round: usize,
    at: i64,
    pub(super) due_at: i64,
    pub(super) number: i64,
    /// The line, as the claim has visited them; `None` for a run that stands in none.
    pub(super) line: Option<usize>,
}

impl Standing {
    /// A run that counts for no limit, in its place among those.
    pub(super) fn alone(round: usize, first: i64, alone: &Alone) -> Self {
        Self {
            round,
            at: micros(Timestamp::from_millis(first)),
            due_at: alone.due_at,
            number: alone.number,
            line: alone.line,
        }
    }
}

/// A run that counts for no limit, and may have a priority.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alone {
    pub(super) line_at: i64,
    pub(super) number: i64,
    pub(super) due_at: i64,
    pub(super) line: Option<usize>,
}

impl Tx<'_> {
    /// Whether there is any line, which is seldom.
    pub(super) fn has_lines(&self) -> Result<bool, Fault> {
        let any: Option<i64> = self
            .connection
            .prepare_cached("SELECT 1 FROM lines LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(any.is_some())
    }

    /// Gives a run the lanes of its flow, unless it has some; whether its lease has ended by that.
    pub(super) fn stand(
        &mut self,
        number: i64,
        flow: &Flow,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut lanes = lanes_of(flow).into_iter().map(lane_text);
        let (a, b) = (lanes.next(), lanes.next());
        let changed = self.execute(
            "UPDATE runs SET lane_a = ?2, lane_b = ?3, shift = ?4 WHERE number = ?1 AND shift IS NULL",
            params![number, a, b, flow.shift_millis()],
        )?;
        if changed == 0 {
            return Ok(false);
        }
        // It leaves its lease without having begun, or where it was.
        let gave_up = self.execute(
            "UPDATE runs SET status = iif(begun, ?3, ?4), started_at = iif(begun, started_at, NULL), worker = NULL, due_at = ?2,
                 keeps_time = NULL
             FROM (SELECT EXISTS (SELECT 1 FROM steps WHERE run = ?1) AS begun)
             WHERE number = ?1 AND worker IS NOT NULL",
            params![
                number,
                now.as_millis(),
                status_number(RunStatus::Suspended),
                status_number(RunStatus::Pending),
            ],
        )?;
        self.enter(number, now)?;
        Ok(gave_up > 0)
    }

    /// Puts a run into its line if it is due.
    fn enter(&mut self, number: i64, now: Timestamp) -> Result<(), Fault> {
        // The head of a line may come earlier by it.
        self.execute(
            "INSERT INTO lines (function, event_type, lane_a, lane_b, at)
             SELECT function, event_type, coalesce(lane_a, ''), coalesce(lane_b, ''),
                 (min(coalesce(line_at, due_at - shift), due_at - shift)) * 1000
             FROM runs WHERE number = ?1 AND due_at <= ?2
             ON CONFLICT (function, event_type, lane_a, lane_b) DO UPDATE SET at = excluded.at
                 -- One that was served keeps its turn.
                 WHERE excluded.at < at AND coalesce(at <= 1000 * (SELECT line_at FROM runs INDEXED BY runs_line WHERE line = lines.id
                     AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                     ORDER BY line_at LIMIT 1), 1)",
            params![number, now.as_millis()],
        )?;
        self.execute(
            "UPDATE runs SET line_at = min(coalesce(line_at, due_at - shift), due_at - shift), due_at = NULL,
                 line = (SELECT id FROM lines WHERE lines.function = runs.function AND lines.event_type = runs.event_type
                     AND lines.lane_a = coalesce(runs.lane_a, '') AND lines.lane_b = coalesce(runs.lane_b, ''))
             WHERE number = ?1 AND due_at <= ?2",
            params![number, now.as_millis()],
        )?;
        Ok(())
    }

    /// Puts the due runs of a function and event type into their lines, as far as one claim does that.
    pub(super) fn enter_due(
        &mut self,
        function: i64,
        event_type: i64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let due: Vec<i64> = self
            .connection
            .prepare_cached(
                "SELECT number FROM (SELECT number, shift FROM runs WHERE function = ?1 AND event_type = ?2 AND due_at <= ?3
                     ORDER BY due_at, number LIMIT ?4) WHERE shift IS NOT NULL",
            )?
            .query_map(
                params![function, event_type, now.as_millis(), MOST_ENTERED],
                |row| row.get(0),
            )?
            .collect::<rusqlite::Result<_>>()?;
        for number in due {
            self.enter(number, now)?;
        }
        Ok(())
    }

    /// Lets the runs of a function whose code has no lanes any more be due as others are.
    pub(super) fn leave_lines(&mut self, function: i64) -> Result<(), Fault> {
        let left = self.execute(
            "UPDATE runs SET due_at = line_at + shift, line_at = NULL WHERE number IN (
                 SELECT runs.number FROM lines JOIN runs ON runs.line = lines.id
                 WHERE lines.function = ?1 AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                 LIMIT ?2)",
            params![function, MOST_ENTERED],
        )?;
        if left == 0 {
            self.execute("DELETE FROM lines WHERE function = ?1", params![function])?;
        }
        Ok(())
    }

    /// Has lines visited again of whose lane a place has become free: of each function the one whose turn is next.
    pub(super) fn settle_freed(&mut self, functions: &[i64]) -> Result<(), Fault> {
        let freed: Vec<String> = self
            .connection
            .prepare_cached("DELETE FROM freed_lanes RETURNING lane")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for lane in freed {
            for function in functions {
                self.unpark_next(&lane, *function)?;
            }
        }
        Ok(())
    }

    /// Has the next line of a function visited that is parked at a lane, of each event type, since who reads the one need not read the
    /// other; whether there is one.
    fn unpark_next(&self, lane: &str, function: i64) -> Result<bool, Fault> {
        let mut is_any = false;
        let mut next = self.connection.prepare_cached(
            "SELECT event_type FROM lines INDEXED BY lines_parked WHERE parked = ?1 AND function = ?2 AND event_type > ?3
             ORDER BY event_type LIMIT 1",
        )?;
        let mut last = i64::MIN;
        while let Some(event_type) = next
            .query_row(params![lane, function, last], |row| row.get(0))
            .optional()?
        {
            last = event_type;
            let unparked = self.execute(
                "UPDATE lines SET parked = NULL, parked_pool = NULL, parked_limit = NULL WHERE id = (
                     SELECT id FROM lines INDEXED BY lines_parked WHERE parked = ?1 AND function = ?2 AND event_type = ?3
                     ORDER BY at LIMIT 1)",
                params![lane, function, event_type],
            )?;
            is_any |= unparked > 0;
        }
        Ok(is_any)
    }

    /// Has lines visited again that were parked by a smaller limit, or one that the function has no more; whether there may be others.
    pub(super) fn unpark_raised(
        &mut self,
        function: i64,
        capacity: &FunctionCapacity,
    ) -> Result<bool, Fault> {
        let mut pools: Vec<String> = Vec::new();
        let mut next = self.connection.prepare_cached(
            "SELECT parked_pool FROM lines INDEXED BY lines_limit WHERE function = ?1 AND parked_pool > ?2 AND parked IS NOT NULL
             ORDER BY parked_pool LIMIT 1",
        )?;
        let mut last = String::new();
        while let Some(pool) = next
            .query_row(params![function, last], |row| row.get::<_, String>(0))
            .optional()?
        {
            pools.push(pool.clone());
            last = pool;
        }
        let mut more = false;
        for pool in pools {
            let most = capacity.most_of(&pool).map_or(i64::MAX, i64::from);
            let unparked = self.execute(
                "UPDATE lines SET parked = NULL, parked_pool = NULL, parked_limit = NULL WHERE id IN (
                     SELECT id FROM lines INDEXED BY lines_limit WHERE function = ?1 AND parked_pool = ?2 AND parked_limit < ?3
                         AND parked IS NOT NULL LIMIT ?4)",
                params![function, pool, most, MOST_RAISED],
            )?;
            more |= i64::try_from(unparked).unwrap_or(0) == MOST_RAISED;
        }
        Ok(more)
    }

    /// The lines of a function and event type that have work and a place, in the order of their turns, at least `most` if there are so
    /// many. Those without a place are parked.
    pub(super) fn visit_lines(
        &mut self,
        (function, event_type, place): (i64, i64, usize),
        capacity: &FunctionCapacity,
        most: usize,
        places: &mut Places,
    ) -> Result<Vec<Visited>, Fault> {
        let mut visited: Vec<Visited> = Vec::new();
        let mut seen = HashSet::new();
        while visited.len() < most && seen.len() < MOST_VISITED {
            let ready = self.ready(function, event_type, visited.len() + most)?;
            let new: Vec<_> = ready
                .into_iter()
                .filter(|line| seen.insert(line.0))
                .collect();
            if new.is_empty() {
                break;
            }
            for (id, at, lanes) in new {
                self.count_places(&lanes, (place, capacity), places)?;
                if let Some(full) = places.full(place, &lanes) {
                    self.park(id, full, capacity, at)?;
                } else if self.head(id)?.is_some() {
                    visited.push(Visited {
                        id,
                        at,
                        lanes,
                        function,
                        place,
                        served: false,
                    });
                    continue;
                } else {
                    self.execute("DELETE FROM lines WHERE id = ?1", params![id])?;
                }
                // It has no use for the place for which it was visited.
                for lane in lanes
                    .iter()
                    .filter(|lane| places.left(place, lane).is_none_or(|left| left > 0))
                {
                    self.unpark_next(lane, function)?;
                }
            }
        }
        Ok(visited)
    }

    fn ready(
        &self,
        function: i64,
        event_type: i64,
        most: usize,
    ) -> Result<Vec<(i64, i64, Vec<String>)>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at, lane_a, lane_b FROM lines INDEXED BY lines_ready
             WHERE function = ?1 AND event_type = ?2 AND parked IS NULL ORDER BY at LIMIT ?3",
        )?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let found = statement.query_map(params![function, event_type, most], |row| {
            let lanes: [String; 2] = [row.get(2)?, row.get(3)?];
            let lanes = lanes.into_iter().filter(|lane| !lane.is_empty());
            Ok((row.get(0)?, row.get(1)?, lanes.collect()))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    fn park(
        &self,
        line: i64,
        full: &str,
        capacity: &FunctionCapacity,
        at: i64,
    ) -> Result<(), Fault> {
        let (pool, _) = lane_of(full);
        self.execute(
            "UPDATE lines SET parked = ?2, parked_pool = ?3, parked_limit = ?4, at = ?5 WHERE id = ?1",
            params![line, full, pool, capacity.most_of(pool), at],
        )?;
        Ok(())
    }

    /// Where the first of a line stands.
    fn head(&self, line: i64) -> Result<Option<i64>, Fault> {
        let head = self
            .connection
            .prepare_cached(
                "SELECT line_at FROM runs INDEXED BY runs_line WHERE line = ?1 AND line_at IS NOT NULL AND due_at IS NULL
                     AND worker IS NULL AND finished_at IS NULL ORDER BY line_at, number LIMIT 1",
            )?
            .query_row(params![line], |row| row.get(0))
            .optional()?;
        Ok(head)
    }

    /// The first runs of visited lines, in rounds.
    pub(super) fn rounds(
        &self,
        visited: &[Visited],
        first: usize,
        most: usize,
        places: &Places,
        order: &mut Vec<Standing>,
        alone: &mut Vec<Alone>,
    ) -> Result<(), Fault> {
        let depth = (2 * most)
            .div_ceil(visited.len().max(1))
            .clamp(1, most.max(1));
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT number, line_at + shift, line_at FROM runs INDEXED BY runs_line WHERE line = ?1 AND line_at IS NOT NULL
                 AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL ORDER BY line_at, number LIMIT ?2",
        )?;
        for (index, line) in visited.iter().enumerate() {
            // Some may be gone, or not to be read.
            let depth = depth.min(places.most(line.place, &line.lanes).saturating_add(8));
            let mut found = statement.query(params![line.id, depth])?;
            let mut round = 0;
            while let Some(row) = found.next()? {
                if line.lanes.is_empty() {
                    alone.push(Alone {
                        line_at: row.get(2)?,
                        number: row.get(0)?,
                        due_at: row.get(1)?,
                        line: Some(first + index),
                    });
                    continue;
                }
                order.push(Standing {
                    round,
                    at: line.at,
                    due_at: row.get(1)?,
                    number: row.get(0)?,
                    line: Some(first + index),
                });
                round += 1;
            }
        }
        Ok(())
    }

    /// Sends lines that were served to the end of the round, and parks those that have no place left; whether there is more to take.
    pub(super) fn settle_lines(
        &mut self,
        visited: &[Visited],
        functions: &[FunctionCapacity],
        places: &Places,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let mut more = false;
        for line in visited {
            let Some(head) = self.head(line.id)? else {
                self.execute("DELETE FROM lines WHERE id = ?1", params![line.id])?;
                more |= self.unpark_others(line, places)?;
                continue;
            };
            let at = if line.served {
                micros(Timestamp::from_millis(head)).max(self.next_turn(now)?)
            } else {
                line.at
            };
            if let Some(full) = places.full(line.place, &line.lanes) {
                self.park(line.id, full, &functions[line.place], at)?;
            } else {
                more = true;
                if line.served {
                    self.execute(
                        "UPDATE lines SET at = ?2 WHERE id = ?1",
                        params![line.id, at],
                    )?;
                }
            }
            more |= self.unpark_others(line, places)?;
        }
        Ok(more)
    }

    /// Has other lines visited of the lanes of a line that have places left; whether there are any.
    fn unpark_others(&self, line: &Visited, places: &Places) -> Result<bool, Fault> {
        let mut more = false;
        for lane in &line.lanes {
            if places.left(line.place, lane).is_some_and(|left| left > 0) {
                more |= self.unpark_next(lane, line.function)?;
            }
        }
        Ok(more)
    }

    fn next_turn(&self, now: Timestamp) -> Result<i64, Fault> {
        let last = self
            .connection
            .prepare_cached("SELECT last FROM line_turn")?
            .query_row([], |row| row.get(0))?;
        let turn = next_turn(last, now);
        self.execute("UPDATE line_turn SET last = ?1", params![turn])?;
        Ok(turn)
    }
}

impl Visited {
    pub(super) fn lanes(&self) -> &[String] {
        &self.lanes
    }

    pub(super) fn serve(&mut self) {
        self.served = true;
    }
}

/// How many runs stand in the lines of a function that have a place, as far as claims have seen, and `most` at most.
pub(super) fn ready_in_lines(
    connection: &Connection,
    function: i64,
    most: i64,
) -> Result<i64, Fault> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM lines JOIN runs INDEXED BY runs_line ON runs.line = lines.id
                 WHERE lines.function = ?1 AND lines.parked IS NULL AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL
                     AND finished_at IS NULL LIMIT ?2)",
        )?
        .query_row(params![function, most], |row| row.get(0))?;
    Ok(count)
}
