//! The value that a function shows of itself, and which of its settings are repeated by a replay.
//!
//! A replay sets again what was set before outside of steps. A setting is known by its value and by where it is: in the function, or
//! in which arm of a race, since the arm that has lost is not replayed. Branches that run at the same time may set theirs in another
//! order now, and a value may have become another one, as with a time in it. So one that is not known takes the place of one that was
//! made before and has not come again, but only once the other branches had their turn, and until the drive gets beyond what was
//! recorded.
//!
//! Settings in a step are not kept: a recorded step is not evaluated again, and one that is evaluated again means what it sets.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    codec,
    error::Result,
    id,
    store::{Entry, StepKind, StepState},
};

use super::STATUS;

/// The most settings that are kept, since each status carries them.
const MOST: usize = 500;

/// The status of a run while it is driven.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    seq: Option<u32>,
    value: Option<Box<RawValue>>,
    /// The settings outside of steps, in the order in which they were made.
    made: Vec<Made>,
    /// Whether there were more, before these.
    has_forgotten: bool,
    /// Whether this drive is still where those were set.
    is_before_all: bool,
    /// Whether this drive has recorded anything but a status: what comes then is no repetition.
    has_gone_on: bool,
    /// How many settings of this drive were known.
    known: u32,
}

/// A setting that was made outside of a step.
#[derive(Debug, Clone, Copy)]
struct Made {
    place: u32,
    value: u64,
    /// Whether this drive has reached it.
    is_reached: bool,
    /// Whether this drive has reached it, one that came after it in its place, or one that stands for it.
    is_passed: bool,
}

/// What is kept with the value.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    /// Digests of where each setting was made and of its value.
    made: Vec<(u32, u64)>,
    #[serde(default)]
    has_forgotten: bool,
    after: Before,
}

/// What else of the run was recorded, or left to be, before a setting. If a part of it is gone, a rerun does that again, and the
/// settings with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// The last `seq`.
    pub(crate) last: Option<u32>,
    /// How many records that were.
    pub(crate) count: u32,
}

/// One setting of a status.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The path of the arm, empty outside of races; `None` in a step.
    pub(crate) place: Option<Arc<str>>,
    pub(crate) value: Box<RawValue>,
    pub(crate) type_name: &'static str,
    pub(crate) now: Timestamp,
}

/// What a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingVerdict {
    /// It is to be recorded.
    New,
    /// The journal has it, or has what was set after it.
    Known,
    /// It is what was set last, which may still have to become durable.
    Repeated,
    /// It is another one than those that are still to come again: it stands for the first of these, unless they come meanwhile from
    /// another branch. So many were known so far.
    Unclear(u32),
}

impl Statuses {
    /// How many turns the other branches have since one of them last set what is known. What they replay they reach within a turn or
    /// two.
    const TURNS: u32 = 3;

    /// As the journal has it.
    pub(crate) fn of(journal: &[Entry]) -> Self {
        let Some(entry) = journal.iter().find(|entry| entry.kind == StepKind::Status) else {
            return Self::default();
        };
        let seq = Some(entry.seq);
        let recorded = codec::place::<Recorded>(&entry.value);
        match recorded.filter(|recorded| recorded.after.is_in(journal)) {
            Some(recorded) => Self {
                seq,
                value: entry.output().map(ToOwned::to_owned),
                made: recorded.made.into_iter().map(Made::earlier).collect(),
                has_forgotten: recorded.has_forgotten,
                is_before_all: recorded.has_forgotten,
                ..Self::default()
            },
            // The first setting is written, be it what is there already, so that nothing is left of those before.
            None => Self {
                seq,
                ..Self::default()
            },
        }
    }

    /// Notes that this drive has recorded something else.
    pub(crate) fn go_on(&mut self) {
        self.has_gone_on = true;
    }

    /// Takes a setting. `turns` says how often the other branches had their turn since it was unclear, if it was; after
    /// [`TURNS`](Self::TURNS) it is decided. What was recorded after it was unclear changes nothing.
    pub(crate) fn takes(&mut self, setting: &Setting, turns: Option<u32>) -> SettingVerdict {
        if let Some(path) = &setting.place {
            let (place, value) = (place_of(path), digest(setting.value.get()));
            if let Some(at) = self.place_of_known(place, value) {
                self.made[at].is_reached = true;
                for made in &mut self.made[..=at] {
                    made.is_passed |= made.place == place;
                }
                self.known += 1;
                self.is_before_all = false;
                return SettingVerdict::Known;
            }
            let is_replay = !self.has_gone_on || turns.is_some();
            if is_replay && (self.is_before_all || self.next_in(place).is_some()) {
                if turns.is_none_or(|turns| turns < Self::TURNS) {
                    return SettingVerdict::Unclear(self.known);
                }
                if !self.is_before_all
                    && let Some(made) = self.next_in(place)
                {
                    made.is_passed = true;
                }
                return SettingVerdict::Known;
            }
            self.is_before_all = false;
            self.made.push(Made {
                place,
                value,
                is_reached: true,
                is_passed: true,
            });
            if self.made.len() > MOST {
                self.made.remove(0);
                self.has_forgotten = true;
            }
        }
        let is_there = self.value.as_deref().map(RawValue::get) == Some(setting.value.get());
        if is_there {
            SettingVerdict::Repeated
        } else {
            SettingVerdict::New
        }
    }

    /// A setting of this value in this place that has not come again yet.
    fn place_of_known(&self, place: u32, value: u64) -> Option<usize> {
        let mut made = self.made.iter();
        made.position(|made| (made.place, made.value) == (place, value) && !made.is_reached)
    }

    /// The first in this place that the drive is not past.
    fn next_in(&mut self, place: u32) -> Option<&mut Made> {
        let mut made = self.made.iter_mut();
        made.find(|made| made.place == place && !made.is_passed)
    }

    /// The entry for a setting that is to be recorded.
    pub(crate) fn entry(
        &mut self,
        setting: &Setting,
        after: Before,
        new_seq: impl FnOnce() -> u32,
    ) -> Result<Entry> {
        let seq = *self.seq.get_or_insert_with(new_seq);
        let made = self.made.iter().map(|made| (made.place, made.value));
        let recorded = Recorded {
            made: made.collect(),
            has_forgotten: self.has_forgotten,
            after,
        };
        let envelope = codec::encode_json(&setting.value);
        let value = codec::with_place(&envelope, &recorded)?;
        self.value = Some(setting.value.clone());
        let (kind, state) = (StepKind::Status, StepState::Completed);
        // Its attempts stay the same, so that a process which sets it and dies makes no progress by that.
        Ok(Entry::new(seq, STATUS, kind, state, setting.now)
            .with_value(setting.type_name, value)
            .with_finished_at(setting.now))
    }
}

impl Made {
    fn earlier((place, value): (u32, u64)) -> Self {
        Self {
            place,
            value,
            is_reached: false,
            is_passed: false,
        }
    }
}

impl Before {
    /// All that a journal has.
    pub(crate) fn all(journal: &[Entry]) -> Self {
        let mut before = Self::default();
        let others = journal
            .iter()
            .filter(|entry| entry.kind != StepKind::Status);
        others.for_each(|entry| before.add(entry.seq));
        before
    }

    /// Adds a record that was not there.
    pub(crate) fn add(&mut self, seq: u32) {
        self.last = self.last.max(Some(seq));
        self.count += 1;
    }

    /// Whether a journal still has all of it.
    fn is_in(self, journal: &[Entry]) -> bool {
        let upto = journal.partition_point(|entry| Some(entry.seq) <= self.last);
        let there = Self::all(&journal[..upto]);
        there.last == self.last && there.count >= self.count
    }
}

/// 0 for the function itself.
fn place_of(path: &str) -> u32 {
    if path.is_empty() {
        return 0;
    }
    u32::try_from(digest(path) >> 16).unwrap_or(u32::MAX).max(1)
}

/// 48 bits, which JSON has as a short number and every reader as a whole one.
fn digest(text: &str) -> u64 {
    id::digest(text) >> 16
}

#[cfg(test)]
mod tests;
