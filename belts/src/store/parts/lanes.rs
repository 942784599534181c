//! What a store counts of a flow, and by what the lines of a function take turns.

use crate::store::{Flow, Lane, Timestamp};

/// The limits that a run counts for: two at most, and none twice.
pub(in crate::store) fn lanes_of(flow: &Flow) -> Vec<&Lane> {
    let mut lanes: Vec<&Lane> = Vec::new();
    for lane in &flow.lanes {
        let is_known = |known: &&Lane| (&known.pool, &known.key) == (&lane.pool, &lane.key);
        if lanes.len() < 2 && !lanes.iter().any(is_known) {
            lanes.push(lane);
        }
    }
    lanes
}

/// A place in the round of the lines of a function, in microseconds: behind all that were served, and, by the clock, behind those that
/// have work since now at the latest.
pub(in crate::store) fn next_turn(last: i64, now: Timestamp) -> i64 {
    last.max(micros(now)).saturating_add(1)
}

pub(in crate::store) fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

/// Between the pool and the key of a lane, where a store keeps them as one text.
const BETWEEN: char = '\u{1f}';

/// A lane as one text.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(in crate::store) fn lane_text(lane: &Lane) -> String {
    format!("{}{BETWEEN}{}", lane.pool, lane.key)
}

/// The pool and the key of a lane.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(in crate::store) fn lane_of(text: &str) -> (&str, &str) {
    text.split_once(BETWEEN).unwrap_or((text, ""))
}
