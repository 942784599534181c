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
    step::taken_type,
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
    /// What is done, and what would be done in its place under another key.
    pub(super) renamed: Vec<Renamed>,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
    /// Whether its replay was given up.
    pub(crate) hung: bool,
}

/// A step that is done, and one that would begin and looks like it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    path: Arc<str>,
    what: String,
}

impl Verdict {
    /// Counts what was probably renamed as a reason to fail, unless it is gone on purpose.
    pub(crate) fn settled(mut self, is_accepted: impl Fn(&str) -> bool) -> Self {
        for renamed in std::mem::take(&mut self.renamed) {
            if !is_accepted(&renamed.path) {
                self.fails.push(renamed.what);
            }
        }
        self
    }

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

    /// `last_failure` is what an attempt of the function itself has failed with that is to be tried again.
    pub(crate) fn of(
        function: &FunctionDef,
        rehearsed: Rehearsed,
        last_failure: Option<&str>,
    ) -> Self {
        let Rehearsed {
            journal,
            played,
            end,
        } = rehearsed;
        let mut verdict = Self {
            fails: played.misfits,
            notes: played.notes,
            ..Self::default()
        };
        let unreached = journal.iter().filter(|entry| {
            let is_unreached = entry.is_step() && !played.reached.contains(&entry.path);
            is_unreached && !is_asked(entry) && !is_beaten(entry, &journal)
        });
        let (mut goes_on, mut completes) = (true, false);
        match end {
            End::Waits => {}
            End::Returned => (goes_on, completes) = (false, true),
            // The function's own answer to a failure that is recorded.
            End::Failed(error) if Class::of(&error) == Some(Class::Recorded) => {
                verdict.notes.push(
                    "would end as failed, with the failure of a step that is recorded".to_owned(),
                );
                goes_on = false;
            }
            End::Failed(error) if last_failure == Some(&*error.report()) => {
                verdict.notes.push(format!(
                    "its function is to be tried again, and would fail again as it did: {}",
                    error.report()
                ));
                return verdict;
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
        // Where it stands in what is recorded: what is recorded before that, and not asked for, is not asked for any more.
        let stands_at = journal
            .iter()
            .filter(|entry| played.goes_on_at.contains(&entry.path))
            .map(|entry| entry.seq)
            .min();
        let is_ahead = |entry: &Entry| {
            !played.begins.is_empty() || stands_at.is_none_or(|seq| entry.seq > seq)
        };
        for entry in unreached {
            match look_up(function, &entry.path, entry.kind) {
                Known::Same if goes_on && is_ahead(entry) => {
                    verdict.behind.insert(Arc::clone(&entry.path));
                }
                Known::Other(kind) if goes_on => verdict.fails.push(format!(
                    "the journal has `{}` as a {}, and the code has a {} of that key: give the new one another key",
                    entry.path,
                    word(entry.kind),
                    word(kind)
                )),
                _ => {
                    if entry.undoable && entry.state == StepState::Completed && !completes {
                        verdict.fails.push(format!(
                            "the step `{}` is to be undone if the run fails, and the code no longer reaches it: bring it back with its \
                             `undo`",
                            entry.path
                        ));
                    }
                    verdict.ignored.insert(Arc::clone(&entry.path));
                }
            }
        }
        verdict.begins = played
            .begins
            .iter()
            .map(|it| Arc::clone(&it.path))
            .collect();
        verdict.find_renamed(function, &journal, &played.begins);
        verdict
    }

    /// Steps that are done and ignored, where one that would begin looks like each: a key was changed, and what it stands for would
    /// be done twice.
    fn find_renamed(&mut self, function: &FunctionDef, journal: &[Entry], begins: &[Beginning]) {
        let done = journal.iter().filter(|entry| {
            let does_something = match entry.kind {
                StepKind::Step | StepKind::Call | StepKind::Start | StepKind::Callback => true,
                // One that has run out has taken nothing.
                StepKind::Wait => taken_type(entry).is_some(),
                _ => false,
            };
            does_something
                && entry.state == StepState::Completed
                && self.ignored.contains(&entry.path)
        });
        for entry in done {
            // What comes behind it is recorded, so that what begins stands in its place.
            let is_in_between = journal
                .iter()
                .any(|later| later.seq > entry.seq && self.behind.contains(&later.path));
            let looks_like = |new: &&Beginning| {
                new.kind == entry.kind && looks_like(function, new, entry, is_in_between)
            };
            let Some(new) = begins.iter().find(looks_like) else {
                continue;
            };
            let (old, new) = (&entry.path, &new.path);
            let what = if entry.kind == StepKind::Wait {
                format!(
                    "`{old}` has taken its event, and the code has `{new}` in its place, which would wait for another one: give it its \
                     key back, or say that `{old}` is gone on purpose, with BELTS_CHECK_ACCEPT={}/{old}",
                    function.id
                )
            } else {
                format!(
                    "`{old}` is done, and the code has `{new}` in its place, which would be done as well: give it its key back, or say \
                     that `{old}` is gone on purpose, with BELTS_CHECK_ACCEPT={}/{old}",
                    function.id
                )
            };
            self.renamed.push(Renamed {
                path: Arc::clone(old),
                what,
            });
        }
    }
}

/// Whether a step that would begin may be a recorded one under another key.
///
/// A type of the function's own package tells much; those of libraries are the types of many steps.
fn looks_like(function: &FunctionDef, new: &Beginning, old: &Entry, is_in_between: bool) -> bool {
    let recorded = match old.kind {
        StepKind::Wait => taken_type(old),
        _ => Some(Arc::clone(&old.type_name)),
    };
    // Of a callback the type is not known.
    let same_type = new
        .type_name
        .is_none_or(|name| recorded.is_some_and(|recorded| *name == *recorded));
    if !same_type {
        return false;
    }
    let is_own = new.type_name.is_some_and(|name| {
        let package = name.split_once("::").map(|(package, _)| package);
        package == Some(&*function.package.replace('-', "_"))
    });
    let tells_much = is_own || old.kind == StepKind::Wait;
    is_in_between || tells_much || is_similar(&new.path, &old.path)
}

/// Whether it is how somebody is asked whether a step has happened.
fn is_asked(entry: &Entry) -> bool {
    let mut parts = entry.path.split('/');
    parts.any(|part| part.starts_with("settle:"))
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

    static ORDER: FunctionDef = FunctionDef {
        package: "shop",
        ..FunctionDef::BLANK
    };

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
        assert!(looks_like(
            &ORDER,
            &new("charge-payment", "u64"),
            &old,
            false
        ));
        assert!(!looks_like(
            &ORDER,
            &new("charge-payment", "String"),
            &old,
            false
        ));
        assert!(!looks_like(&ORDER, &new("label", "u64"), &old, false));
        assert!(looks_like(&ORDER, &new("label", "u64"), &old, true));
        let receipt = recorded(0, "charge", "shop::Receipt");
        assert!(looks_like(
            &ORDER,
            &new("capture", "shop::Receipt"),
            &receipt,
            false
        ));
        let text = recorded(0, "charge", "alloc::string::String");
        assert!(!looks_like(
            &ORDER,
            &new("notify", "alloc::string::String"),
            &text,
            false
        ));
        // Of a library, and so of many steps.
        let plan = recorded(0, "plan", "serde_json::value::Value");
        let draft = new("draft", "serde_json::value::Value");
        assert!(!looks_like(&ORDER, &draft, &plan, false));
    }
}
