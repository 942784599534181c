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

/// What stands for itself in no key: what separates pools from keys and, on Redis, lanes from each other.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
const ESCAPED: [(&str, &str); 3] = [("%", "%25"), ("\u{1e}", "%1E"), ("\u{1f}", "%1F")];

/// A lane as one text.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(in crate::store) fn lane_text(lane: &Lane) -> String {
    let mut key = lane.key.to_string();
    for (plain, escaped) in ESCAPED {
        if key.contains(plain) {
            key = key.replace(plain, escaped);
        }
    }
    format!("{}{BETWEEN}{key}", lane.pool)
}

/// The pool and the key of a lane.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "redis"))]
pub(in crate::store) fn lane_of(text: &str) -> (&str, String) {
    let (pool, key) = text.split_once(BETWEEN).unwrap_or((text, ""));
    let mut key = key.to_owned();
    for (plain, escaped) in ESCAPED.into_iter().rev() {
        if key.contains(escaped) {
            key = key.replace(escaped, plain);
        }
    }
    (pool, key)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_told_from_every_other_by_its_text() {
        for key in ["", "7", "a\u{1e}b", "a\u{1f}\u{1e}", "100%", "%1E", "%251F"] {
            let lane = Lane::new("ship:account", key, 5);
            let text = lane_text(&lane);
            assert_eq!(text.matches(['\u{1e}', '\u{1f}']).count(), 1, "{text:?}");
            assert_eq!(lane_of(&text), ("ship:account", key.to_owned()));
        }
    }
}
