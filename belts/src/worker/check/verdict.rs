//! What the replay of a run means for it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    contract::{Known, look_up},
    rehearse::{End, Rehearsed},
};
use crate::{
    error::class::Class,
    function::FunctionDef,
    live::{Beginning, winner_of},
    run::is_under,
    store::{Entry, StepKind, StepState},
};

/// What becomes of a run with this code.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What it has recorded that the code does not ask for.
    pub(crate) ignored: BTreeSet<Arc<str>>,
    /// What it has recorded that the code asks for behind a step that is new to the run, so that its value was not tried.
    pub(crate) behind: BTreeSet<Arc<str>>,
    /// The steps that it would begin.
    pub(crate) begins: BTreeSet<Arc<str>>,
    /// Why it would not go on.
    pub(crate) fails: Vec<String>,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
    /// Whether its replay was given up.
    pub(crate) hung: bool,
}

impl Verdict {
    /// One that fails before anything is replayed.
    pub(crate) fn failing(reason: String) -> Self {
        Self {
            fails: vec![reason],
            ..Self::default()
        }
    }

    /// One of a run whose replay was given up.
    pub(crate) fn hanging() -> Self {
        Self {
            hung: true,
            ..Self::failing(
                "what the function does outside of its steps does not end: move it into a step"
                    .to_owned(),
            )
        }
    }

    pub(crate) fn of(function: &FunctionDef, rehearsed: Rehearsed) -> Self {
        let Rehearsed {
            journal,
            played,
            end,
        } = rehearsed;
        let mut verdict = Self {
            fails: played.misfits,
            ..Self::default()
        };
        let unreached = journal.iter().filter(|entry| {
            entry.is_step() && !played.reached.contains(&entry.path) && !is_beaten(entry, &journal)
        });
        let mut goes_on = true;
        match end {
            End::Waits => {}
            End::Returned => goes_on = false,
            // The function's own answer to a failure that is recorded.
            End::Failed(error) if Class::of(&error) == Some(Class::Recorded) => {
                verdict.notes.push(
                    "would end as failed, with the failure of a step that is recorded".to_owned(),
                );
                goes_on = false;
            }
            End::Failed(error) => {
                let report = error.report();
                verdict.fails.push(format!(
                    "the function returns an error before it begins a step: {report}"
                ));
                return verdict;
            }
            End::Unread(error) => {
                let report = error.report();
                verdict
                    .fails
                    .push(format!("the event cannot be read any more: {report}"));
                return verdict;
            }
            End::Broken(error) => {
                verdict.fails.push(error.report());
                return verdict;
            }
            End::Hangs => {
                verdict.fails.extend(Self::hanging().fails);
                verdict.hung = true;
                return verdict;
            }
        }
        for entry in unreached {
            match look_up(function, &entry.path, entry.kind) {
                Known::Same if goes_on => {
                    verdict.behind.insert(Arc::clone(&entry.path));
                }
                Known::Other(kind) if goes_on => verdict.fails.push(format!(
                    "the journal has `{}` as a {}, and the code has a {} of that key: give the new one another key",
                    entry.path,
                    word(entry.kind),
                    word(kind)
                )),
                _ => {
                    verdict.ignored.insert(Arc::clone(&entry.path));
                }
            }
        }
        verdict.begins = played
            .begins
            .iter()
            .map(|it| Arc::clone(&it.path))
            .collect();
        verdict.find_renamed(&journal, &played.begins);
        verdict
    }

    /// Steps that are done and ignored, where one that would begin looks like each: a key was changed, and what it stands for would
    /// be done twice.
    fn find_renamed(&mut self, journal: &[Entry], begins: &[Beginning]) {
        let done = journal.iter().filter(|entry| {
            let does_something = matches!(
                entry.kind,
                StepKind::Step | StepKind::Call | StepKind::Start | StepKind::Callback
            );
            does_something
                && entry.state == StepState::Completed
                && self.ignored.contains(&entry.path)
        });
        for entry in done {
            // What comes behind it is recorded, so that what begins stands in its place.
            let is_in_between = journal
                .iter()
                .any(|later| later.seq > entry.seq && self.behind.contains(&later.path));
            if let Some(new) = begins
                .iter()
                .find(|new| new.kind == entry.kind && looks_like(new, entry, is_in_between))
            {
                self.fails.push(format!(
                    "`{}` is done, and the code has `{}` in its place, which would be done as well: give it its key back, or change the \
                     result's type if it is something else",
                    entry.path, new.path
                ));
            }
        }
    }
}

/// Whether a step that would begin may be a recorded one under another key.
fn looks_like(new: &Beginning, old: &Entry, is_in_between: bool) -> bool {
    // Of anything but a step the type is not known.
    let same_type = new.type_name.is_none_or(|name| *name == *old.type_name);
    if !same_type {
        return false;
    }
    let tells_much = new
        .type_name
        .is_some_and(|name| name.contains("::") && !name.starts_with("alloc::"));
    is_in_between || tells_much || is_similar(&new.path, &old.path)
}

fn is_similar(one: &str, other: &str) -> bool {
    let key = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let (one_key, other_key) = (key(one), key(other));
    one_key.contains(&other_key)
        || other_key.contains(&one_key)
        || strsim::normalized_levenshtein(&one_key, &other_key) >= 0.5
}

/// Whether it is in an arm that has lost its race.
fn is_beaten(entry: &Entry, journal: &[Entry]) -> bool {
    let mut races = journal.iter();
    races.any(|race| {
        race.kind == StepKind::Race
            && is_under(&entry.path, &race.path)
            && winner_of(race).is_some_and(|arm| !is_under(&entry.path, &arm))
    })
}

fn word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Wait => "wait",
        StepKind::Callback => "callback",
        StepKind::Race => "race",
        StepKind::Call => "call",
        StepKind::Start => "start",
        StepKind::Undo => "undo",
        StepKind::Status => "status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Timestamp;

    fn recorded(seq: u32, path: &str, type_name: &str) -> Entry {
        let now = Timestamp::from_millis(1);
        Entry::new(seq, path, StepKind::Step, StepState::Completed, now)
            .with_value(type_name, *b"{}")
    }

    fn new(path: &str, type_name: &'static str) -> Beginning {
        Beginning {
            path: path.into(),
            kind: StepKind::Step,
            type_name: Some(type_name),
        }
    }

    #[test]
    fn a_step_in_the_place_of_one_that_is_gone_looks_like_it_if_type_and_key_do() {
        let old = recorded(0, "charge", "u64");
        assert!(looks_like(&new("charge-payment", "u64"), &old, false));
        assert!(!looks_like(&new("charge-payment", "String"), &old, false));
        assert!(!looks_like(&new("label", "u64"), &old, false));
        assert!(looks_like(&new("label", "u64"), &old, true));
        let receipt = recorded(0, "charge", "shop::Receipt");
        assert!(looks_like(
            &new("capture", "shop::Receipt"),
            &receipt,
            false
        ));
        let text = recorded(0, "charge", "alloc::string::String");
        assert!(!looks_like(
            &new("notify", "alloc::string::String"),
            &text,
            false
        ));
    }
}
