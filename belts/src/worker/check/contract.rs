//! Whether a recorded path is one of the keys that the macros have written down of a function.

use crate::{
    function::{ArmKey, FunctionDef, HelperEntry, KeyDef, matches, own_keys},
    store::StepKind,
};

/// What the code has under a path, as far as one can tell before it runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A key of this kind, or one that is not known before the code runs.
    Same,
    /// A key of another kind.
    Other(StepKind),
    Gone,
}

/// The keys of a function or of a helper.
#[derive(Clone, Copy)]
struct Code {
    keys: &'static [KeyDef],
    arms: &'static [ArmKey],
}

pub(super) fn look_up(function: &FunctionDef, path: &str, kind: StepKind) -> Known {
    let code = Code {
        keys: function.keys,
        arms: function.arms,
    };
    let parts: Vec<&str> = path.split('/').collect();
    // What the engine keeps for itself has paths that no key makes.
    let is_own = |part: &&str| {
        let rest = part.strip_prefix('~');
        rest.is_some_and(|rest| !rest.starts_with(['0', '1'])) || part.starts_with("settle:")
    };
    if parts.iter().any(is_own) {
        return Known::Same;
    }
    let mut found = Known::Gone;
    code.find(&parts, kind, &mut found);
    found
}

impl Code {
    fn find(self, parts: &[&str], kind: StepKind, found: &mut Known) {
        for key in own_keys(self.keys, self.arms) {
            Self::compare(key, parts, kind, found);
        }
        for arm in self.arms {
            let depth = arm.under.len();
            if parts.len() > depth
                && arm
                    .under
                    .iter()
                    .zip(parts)
                    .all(|(p, part)| matches(p, part))
            {
                Self::compare(arm.key, &parts[depth..], kind, found);
            }
        }
    }

    fn compare(key: KeyDef, parts: &[&str], kind: StepKind, found: &mut Known) {
        let [first, rest @ ..] = parts else {
            return;
        };
        if !matches(key.pattern(), first) {
            return;
        }
        match (key, rest) {
            (KeyDef::Scope(_, helper), [_, ..]) => Self::in_helper(helper, rest, kind, found),
            // Its result is waited for under it.
            (KeyDef::Callback(_) | KeyDef::Start(_), [result]) if result.starts_with("result") => {
                *found = Known::Same;
            }
            (KeyDef::Scope(..), []) => {}
            (key, []) if kind_of(key) == Some(kind) => *found = Known::Same,
            // What a part that is made at run time may be says nothing.
            (key, []) if *found == Known::Gone && !key.pattern().contains('{') => {
                if let Some(other) = kind_of(key) {
                    *found = Known::Other(other);
                }
            }
            _ => {}
        }
    }

    /// Looks in all helpers of this name.
    fn in_helper(name: &str, parts: &[&str], kind: StepKind, found: &mut Known) {
        let mut is_known = false;
        for helper in inventory::iter::<HelperEntry> {
            if helper.name == name {
                is_known = true;
                let code = Self {
                    keys: helper.keys,
                    arms: helper.arms,
                };
                code.find(parts, kind, found);
            }
        }
        // It is called by another name than its own.
        if !is_known {
            *found = Known::Same;
        }
    }
}

/// What a key is in the journal.
fn kind_of(key: KeyDef) -> Option<StepKind> {
    Some(match key {
        KeyDef::Step(_) | KeyDef::Transaction(..) => StepKind::Step,
        KeyDef::Sleep(_) => StepKind::Sleep,
        KeyDef::Wait(_) => StepKind::Wait,
        KeyDef::Callback(_) => StepKind::Callback,
        KeyDef::Call(_) => StepKind::Call,
        KeyDef::Start(_) => StepKind::Start,
        KeyDef::Race(_) => StepKind::Race,
        KeyDef::Scope(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static ORDER: FunctionDef = FunctionDef {
        keys: &[
            KeyDef::Step("charge"),
            KeyDef::Step("ship-{sku}"),
            KeyDef::Callback("approval"),
            KeyDef::Race("decision"),
            // As it stands there for the one in an arm.
            KeyDef::Wait("paid"),
            KeyDef::Scope("parcel-{n}", "called_by_another_name"),
        ],
        arms: &[
            ArmKey {
                under: &["decision", "paid"],
                key: KeyDef::Wait("paid"),
            },
            ArmKey {
                under: &["decision", "late"],
                key: KeyDef::Sleep("deadline"),
            },
        ],
        ..FunctionDef::BLANK
    };

    #[test]
    fn paths_are_found_by_patterns_kinds_and_arms() {
        use StepKind::{Callback, Race, Sleep, Step, Wait};
        for (path, kind, known) in [
            ("charge", Step, Known::Same),
            ("ship-a~1b", Step, Known::Same),
            // What is made at run time may be anything.
            ("ship-a", Sleep, Known::Gone),
            ("charge", Sleep, Known::Other(Step)),
            ("approval", Callback, Known::Same),
            ("approval/result-2", Wait, Known::Same),
            ("decision", Race, Known::Same),
            ("decision/paid/paid", Wait, Known::Same),
            ("decision/late/deadline", Wait, Known::Other(Sleep)),
            ("decision/late/paid", Wait, Known::Gone),
            ("paid", Wait, Known::Gone),
            ("refund", Step, Known::Gone),
            ("decision/answered/~approval/result", Wait, Known::Same),
            ("parcel-1/label", Step, Known::Same),
        ] {
            assert_eq!(look_up(&ORDER, path, kind), known, "{path} {kind:?}");
        }
    }
}
