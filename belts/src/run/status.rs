//! The value that a function shows of itself, and which of its settings are repeated by a replay.
//!
//! A replay sets again what was set before. The settings outside of steps come in the same order each time, so they are counted, for
//! the function and for each arm of a race apart, since the arm that has lost is not replayed. Those in a step are not counted: a
//! recorded step is not evaluated again, and one that is evaluated again means what it sets.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    codec,
    error::Result,
    store::{Entry, StepKind, StepState},
};

use super::STATUS;

/// The status of a run while it is driven.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    seq: Option<u32>,
    value: Option<Box<RawValue>>,
    recorded: Recorded,
    /// How many settings this drive has reached, by where.
    reached: HashMap<Arc<str>, u32>,
}

/// What is kept with the value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Recorded {
    /// How many settings there were, by where: the path of the arm, empty outside of races.
    seen: BTreeMap<Arc<str>, u32>,
    /// Where the last one was; nothing if in a step.
    by: Option<Arc<str>>,
    /// The last `seq` that was recorded before. If it is gone, a rerun does that again, and the settings with it.
    after: Option<u32>,
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

impl Statuses {
    /// As the journal has it, whose last other entry has this `seq`.
    pub(crate) fn of(entry: Option<&Entry>, last: Option<u32>) -> Self {
        let Some(entry) = entry else {
            return Self::default();
        };
        let mut statuses = Self {
            seq: Some(entry.seq),
            value: entry.output().map(ToOwned::to_owned),
            ..Self::default()
        };
        let recorded = codec::place::<Recorded>(&entry.value);
        // What was recorded since says nothing.
        if let Some(recorded) = recorded.filter(|recorded| recorded.after <= last) {
            statuses.recorded = recorded;
        }
        statuses
    }

    /// Takes a setting; whether it is to be recorded, and not there already or the repetition of one that was overwritten.
    pub(crate) fn takes(&mut self, setting: &Setting) -> bool {
        let is_there = self.value.as_deref().map(RawValue::get) == Some(setting.value.get());
        if let Some(place) = &setting.place {
            let reached = self.reached.entry(Arc::clone(place)).or_default();
            *reached += 1;
            let seen = self.recorded.seen.entry(Arc::clone(place)).or_default();
            let is_last = self.recorded.by.as_ref() == Some(place);
            if *reached < *seen || *reached == *seen && !is_last {
                return false;
            }
            *seen = *reached;
        }
        if !is_there {
            self.recorded.by.clone_from(&setting.place);
        }
        !is_there
    }

    /// The entry for a setting that is to be recorded, behind the entry of this `seq`.
    pub(crate) fn entry(
        &mut self,
        setting: Setting,
        after: Option<u32>,
        new_seq: impl FnOnce() -> u32,
    ) -> Result<Entry> {
        let seq = *self.seq.get_or_insert_with(new_seq);
        self.recorded.after = after;
        let envelope = codec::encode_json(&setting.value);
        let value = codec::with_place(&envelope, &self.recorded)?;
        self.value = Some(setting.value);
        let (kind, state) = (StepKind::Status, StepState::Completed);
        // Its attempts stay the same, so that a process which sets it and dies makes no progress by that.
        Ok(Entry::new(seq, STATUS, kind, state, setting.now)
            .with_value(setting.type_name, value)
            .with_finished_at(setting.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a drive records of these settings, each with where it is: in a step for `*`.
    fn driven(journal: &mut Option<Entry>, last: u32, settings: &[(&str, u32)]) -> Vec<u32> {
        let mut statuses = Statuses::of(journal.as_ref(), Some(last));
        let mut recorded = Vec::new();
        for (place, value) in settings {
            let setting = Setting {
                place: (*place != "*").then(|| Arc::from(*place)),
                value: codec::to_raw(value).expect("a number"),
                type_name: "u32",
                now: Timestamp::from_millis(0),
            };
            if statuses.takes(&setting) {
                let entry = statuses.entry(setting, Some(last), || 9).expect("numbers");
                *journal = Some(entry);
                recorded.push(*value);
            }
        }
        recorded
    }

    #[test]
    fn a_replay_repeats_no_setting() {
        let mut journal = None;
        let all = [("", 1), ("", 2), ("*", 3), ("*", 4), ("", 5), ("", 5)];
        for upto in 1..=all.len() {
            let mut before = None;
            driven(&mut before, 3, &all[..upto]);
            // Recorded steps are not evaluated again.
            let again: Vec<_> = all[..upto]
                .iter()
                .filter(|(place, _)| *place != "*")
                .copied()
                .collect();
            assert!(driven(&mut before, 3, &again).is_empty(), "{upto}");
        }
        assert_eq!(driven(&mut journal, 3, &all), [1, 2, 3, 4, 5]);
        assert_eq!(
            driven(&mut journal, 3, &[("", 1), ("", 2), ("", 5), ("", 6)]),
            [6]
        );
    }

    #[test]
    fn a_step_that_is_evaluated_again_means_what_it_sets() {
        let mut journal = None;
        driven(&mut journal, 0, &[("", 1), ("*", 10), ("*", 50)]);
        let again = [("", 1), ("*", 10), ("*", 60), ("", 2)];
        assert_eq!(driven(&mut journal, 0, &again), [10, 60, 2]);
    }

    #[test]
    fn the_last_setting_is_mended_where_the_code_says_something_else_now() {
        let mut journal = None;
        driven(&mut journal, 0, &[("", 1), ("", 2)]);
        assert_eq!(driven(&mut journal, 0, &[("", 7), ("", 3)]), [3]);
    }

    /// The loser's settings moved the count on, and those behind the race were taken for repeated.
    #[test]
    fn an_arm_that_is_not_replayed_is_missed_by_nobody() {
        let mut journal = None;
        driven(
            &mut journal,
            0,
            &[("", 1), ("r/a", 2), ("r/b", 3), ("r/b", 4)],
        );
        assert_eq!(
            driven(&mut journal, 0, &[("", 1), ("r/a", 2), ("", 5)]),
            [5]
        );
    }

    #[test]
    fn settings_come_again_with_the_steps_that_a_rerun_drops() {
        let mut journal = None;
        driven(&mut journal, 4, &[("", 1), ("", 2), ("", 3)]);
        let all = [("", 1), ("", 2), ("", 3)];
        assert_eq!(driven(&mut journal, 2, &all), [1, 2, 3]);
        assert!(driven(&mut journal, 2, &all).is_empty());
    }
}
