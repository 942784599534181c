//! Places in a SQLite file: a place is a lease, so they are counted in the index of leased runs.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{error::Fault, tx::Tx};
use crate::store::{FunctionCapacity, InLine, Lane, parts::lanes::lane_of};

/// The places of lanes, as far as a claim has asked: how many are held, and how many each function may have held at most, by its place
/// in the capacity; `None` where it has no such limit.
#[derive(Debug, Default)]
pub(super) struct Places {
    held: HashMap<String, i64>,
    most: HashMap<(usize, String), Option<i64>>,
}

impl Places {
    /// Takes the places of a run in these lanes.
    pub(super) fn take(&mut self, lanes: &[String]) {
        for lane in lanes {
            if let Some(held) = self.held.get_mut(lane) {
                *held += 1;
            }
        }
    }

    /// Whether there is a place for a function in each of these lanes.
    pub(super) fn have(&self, place: usize, lanes: &[String]) -> bool {
        self.full(place, lanes).is_none()
    }

    /// The first of these lanes that has no place left for a function.
    pub(super) fn full<'a>(&self, place: usize, lanes: &'a [String]) -> Option<&'a String> {
        let is_full = |lane: &&String| self.left(place, lane).is_some_and(|left| left <= 0);
        lanes.iter().find(is_full)
    }

    /// How many places of a lane are left for a function, if it has a limit.
    pub(super) fn left(&self, place: usize, lane: &str) -> Option<i64> {
        let most = (*self.most.get(&(place, lane.to_owned()))?)?;
        Some(most - self.held.get(lane)?)
    }

    pub(super) fn most(&self, place: usize, lanes: &[String]) -> i64 {
        let left = lanes.iter().filter_map(|lane| self.left(place, lane));
        left.min().unwrap_or(i64::MAX)
    }
}

/// How many leases of a lane there are.
fn held(connection: &Connection, lane: &str) -> Result<i64, Fault> {
    let held = connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM runs INDEXED BY runs_lane_a WHERE lane_a = ?1 AND worker IS NOT NULL
                 UNION ALL SELECT 1 FROM runs INDEXED BY runs_lane_b WHERE lane_b = ?1 AND worker IS NOT NULL)",
        )?
        .query_row(params![lane], |row| row.get(0))?;
    Ok(held)
}

impl Tx<'_> {
    /// Counts the places of lanes for a function.
    pub(super) fn count_places(
        &self,
        lanes: &[String],
        (place, capacity): (usize, &FunctionCapacity),
        places: &mut Places,
    ) -> Result<(), Fault> {
        for lane in lanes {
            let most = capacity.most_of(lane_of(lane).0).map(i64::from);
            if most.is_some() && !places.held.contains_key(lane) {
                let held = held(self.connection, lane)?;
                places.held.insert(lane.clone(), held);
            }
            places.most.insert((place, lane.clone()), most);
        }
        Ok(())
    }

    /// The lanes of a run.
    pub(super) fn lanes_of_run(&self, number: i64) -> Result<Vec<String>, Fault> {
        let (a, b): (Option<String>, Option<String>) = self
            .connection
            .prepare_cached("SELECT lane_a, lane_b FROM runs WHERE number = ?1")?
            .query_row(params![number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(a.into_iter().chain(b).collect())
    }
}

/// The limit that keeps a run waiting.
pub(super) fn in_line(connection: &Connection, run_id: &str) -> Result<Option<InLine>, Fault> {
    let parked: Option<(String, u32)> = connection
        .prepare_cached(
            "SELECT parked, parked_limit FROM runs JOIN lines ON lines.id = runs.line
             WHERE runs.id = ?1 AND line_at IS NOT NULL AND due_at IS NULL AND worker IS NULL AND finished_at IS NULL
                 AND parked IS NOT NULL AND parked_limit IS NOT NULL",
        )?
        .query_row(params![run_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((lane, limit)) = parked else {
        return Ok(None);
    };
    let held = held(connection, &lane)?;
    let (pool, key) = lane_of(&lane);
    let held = u32::try_from(held).unwrap_or(u32::MAX);
    Ok(Some(InLine::new(Lane::new(pool, key, limit), held)))
}
