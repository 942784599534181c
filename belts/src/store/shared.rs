//! What every store in this crate needs: ids, page marks, and the bookkeeping of a worker's capacity.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Capacity, Entry, EventDigest, FunctionCapacity, RunFilter, RunStatus, Timestamp, WorkerId,
};
use crate::error::{Error, ErrorKind, Result};

/// The most functions that a claim names as unknown.
pub(super) const MAX_UNKNOWN_FUNCTIONS: usize = 8;

/// What is left of a worker's capacity while runs are given to it.
pub(super) struct Budget {
    limit: usize,
    functions: HashMap<Arc<str>, FunctionCapacity>,
}

impl Budget {
    pub(super) fn new(capacity: &Capacity) -> Self {
        let functions = capacity
            .functions
            .iter()
            .map(|function| (Arc::clone(&function.function_id), function.clone()));
        Self {
            limit: capacity.limit,
            functions: functions.collect(),
        }
    }

    /// Takes the place of one run of the function for an event of this type; whether there was one.
    pub(super) fn take(&mut self, function: &str, event_type: &str) -> bool {
        match self.functions.get_mut(function) {
            Some(left) if left.limit > 0 && self.limit > 0 && left.reads(event_type) => {
                left.limit -= 1;
                self.limit -= 1;
                true
            }
            _ => false,
        }
    }
}

/// A new id for a run; ids sort by the time of their making.
pub(super) fn new_id() -> Arc<str> {
    let mut text = [0; uuid::fmt::Simple::LENGTH];
    Arc::from(&*uuid::Uuid::now_v7().simple().encode_lower(&mut text))
}

/// The bits of a token that cannot be foreseen. With a counter of 24 bits above them a token stays exact as a double, which
/// Redis has for numbers.
const CHANCE: u32 = 29;

/// The token of the next claim: greater than the last one, by an amount that nobody can foresee.
pub(super) fn next_token(last: i64) -> i64 {
    let chance = i64::from(fastrand::u32(..1 << CHANCE));
    (((last >> CHANCE) + 1) << CHANCE) | chance
}

/// How long the clocks of workers count for a publisher that heard of none since.
const HEARD_OF: Duration = Duration::from_secs(24 * 60 * 60);

/// When a run is due whose event asks for `due_at`, by the clock of the workers where it is due at once: `now` is the publisher's
/// clock, and `seen` the latest time at which a worker was heard of.
pub(super) fn due_by(due_at: Timestamp, now: Timestamp, seen: Option<Timestamp>) -> Timestamp {
    match seen {
        Some(seen) if due_at <= now && due_at > seen && now.since(seen) <= HEARD_OF => seen,
        _ => due_at,
    }
}

/// How much of a run is recorded: grows with every entry and every failed attempt.
pub(super) fn progress(failed_attempts: u32, journal: &[Entry]) -> u64 {
    let steps = journal.iter().map(|entry| 1 + u64::from(entry.attempts));
    u64::from(failed_attempts) + steps.sum::<u64>()
}

/// What a claim tells of a run's crashes: none if something was recorded since the last, when its progress was `then`.
pub(super) fn claimed_crashes(crashes: u32, then: u64, now: u64) -> u32 {
    if now > then { 0 } else { crashes }
}

/// The most bytes of a failure that a list brings.
const LISTED_FAILURE: usize = 16 * 1024;

/// What a list brings of a run's result.
pub(super) fn listed_result(status: RunStatus, result: Option<&Arc<[u8]>>) -> Option<Arc<[u8]>> {
    let listed =
        |result: &&Arc<[u8]>| status != RunStatus::Completed && result.len() <= LISTED_FAILURE;
    result.filter(listed).cloned()
}

impl EventDigest {
    /// The digest of an event.
    pub fn of(event_type: &str, payload: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update((event_type.len() as u64).to_be_bytes());
        hash.update(event_type.as_bytes());
        match serde_json::from_slice(payload) {
            Ok(value) => feed(&mut hash, &value),
            // What is no JSON is compared byte for byte.
            Err(_) => hash.update(payload),
        }
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(first)
    }
}

/// Feeds JSON with the fields of each object in the order of their names.
fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Array(items) => {
            hash.update([b'[']);
            for item in items {
                feed(hash, item);
            }
            hash.update([b']']);
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            hash.update([b'{']);
            for (name, value) in sorted {
                text(hash, name);
                feed(hash, value);
            }
            hash.update([b'}']);
        }
        Value::String(string) => text(hash, string),
        plain => {
            hash.update(plain.to_string());
            hash.update([b',']);
        }
    }
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update([b'"']);
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// The error of a session that the store does not know, or no more.
pub(super) fn unknown_session(worker: WorkerId) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("the session {worker} has ended, and the worker must register again"),
    )
}

/// The error of a function that is to be forgotten although somebody has it.
pub(super) fn still_living(function: &str) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "a living worker has the function `{function}`; stop every worker that has it, then forget it"
        ),
    )
}

pub(super) fn page_limit(filter: &RunFilter) -> usize {
    if filter.limit == 0 { 100 } else { filter.limit }
}

impl RunFilter {
    /// Whether it wants runs of this time.
    pub(super) fn includes(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// The number of the run at which the last page ended.
pub(super) fn page_mark(filter: &RunFilter) -> Result<Option<i64>> {
    let Some(mark) = &filter.after else {
        return Ok(None);
    };
    mark.parse().map(Some).map_err(|error| {
        Error::new(
            ErrorKind::Config,
            "`after` is not a mark that an earlier page gave",
        )
        .with_source(error)
    })
}
