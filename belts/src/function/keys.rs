//! The keys of a function as its body writes them, known before it runs.

/// A place where a body reaches a key: with its braces, as in `"ship-{sku}"`. `"{}"` is one that is not known before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDef {
    /// A `step!`.
    Step(&'static str),
    /// A `sleep!` or `sleep_until!`.
    Sleep(&'static str),
    /// A `wait!`.
    Wait(&'static str),
    /// A `callback!`.
    Callback(&'static str),
    /// A `call!`.
    Call(&'static str),
    /// A `start!`.
    Start(&'static str),
    /// A `race!`, with the keys of its arms under theirs.
    Race(&'static str),
    /// A `scope!`, with the helper that it calls, whose keys are under it; nothing where that is not known.
    Scope(&'static str, &'static str),
    /// A `transaction!`.
    Transaction(&'static str, TransactionKind),
}

/// Which stores have the transactions of a `transaction!`, as its closure says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionKind {
    /// `async |tx|`.
    Postgres,
    /// `|tx|`.
    Sqlite,
}

/// A key in an arm of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArmKey {
    /// The key of the race and the name of the arm that it is under, the outermost first.
    pub under: &'static [&'static str],
    /// The key itself.
    pub key: KeyDef,
}

pub(crate) use paths::matches;

mod paths {
    use super::KeyDef;
    use crate::run::escape;

    impl KeyDef {
        /// Whether a step at this path may be one of this place's.
        #[cfg(feature = "testing")]
        pub(crate) fn leads_to(self, path: &str) -> bool {
            match (self, path.split_once('/')) {
                // What undoes it has its key behind `undo:`.
                (
                    Self::Step(pattern) | Self::Call(pattern) | Self::Transaction(pattern, _),
                    None,
                ) => {
                    matches(pattern, path)
                        || path
                            .strip_prefix("undo:")
                            .is_some_and(|of| matches(pattern, of))
                }
                (Self::Scope(pattern, _), Some((scope, _))) => matches(pattern, scope),
                // The key of an arm comes between.
                (Self::Race(pattern), Some((race, rest))) => {
                    matches(pattern, race) && rest.contains('/')
                }
                _ => false,
            }
        }

        /// Whether a path is that of this place itself, whatever it is.
        #[cfg(feature = "testing")]
        pub(crate) fn is(self, path: &str) -> bool {
            !path.contains('/') && matches(self.pattern(), path)
        }

        /// What of it is the same each time, for a path to be compared with.
        #[cfg(feature = "testing")]
        pub(crate) fn fixed(self) -> String {
            texts(self.pattern()).concat()
        }

        /// What it is, as inspection says it; nothing for a scope, which is no step.
        pub(crate) fn kind(self) -> Option<&'static str> {
            Some(match self {
                Self::Step(_) => "step",
                Self::Transaction(..) => "transaction",
                Self::Sleep(_) => "sleep",
                Self::Wait(_) => "wait",
                Self::Callback(_) => "callback",
                Self::Call(_) => "call",
                Self::Start(_) => "start",
                Self::Race(_) => "race",
                Self::Scope(..) => return None,
            })
        }

        /// The key as it is written.
        pub(crate) fn pattern(self) -> &'static str {
            match self {
                Self::Step(pattern)
                | Self::Sleep(pattern)
                | Self::Wait(pattern)
                | Self::Callback(pattern)
                | Self::Call(pattern)
                | Self::Start(pattern)
                | Self::Race(pattern)
                | Self::Scope(pattern, _)
                | Self::Transaction(pattern, _) => pattern,
            }
        }
    }

    /// Whether a part of a path is such a key with anything in its braces.
    pub(crate) fn matches(pattern: &str, part: &str) -> bool {
        let texts = texts(pattern);
        let [first, between @ .., last] = texts.as_slice() else {
            return texts.iter().all(|text| text == part);
        };
        let Some(rest) = part.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        for text in between {
            let Some((_, after)) = rest.split_once(text.as_str()) else {
                return false;
            };
            rest = after;
        }
        true
    }

    /// The texts around and between the captures, one more than there are captures, as paths have them.
    fn texts(pattern: &str) -> Vec<String> {
        let (mut texts, mut text) = (Vec::new(), String::new());
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.next_if_eq(&letter).is_some() => text.push(letter),
                '{' => {
                    letters.by_ref().find(|letter| *letter == '}');
                    texts.push(escape(&std::mem::take(&mut text)));
                }
                other => text.push(other),
            }
        }
        texts.push(escape(&text));
        texts
    }

    #[cfg(all(test, feature = "testing"))]
    mod tests {
        use super::*;

        #[test]
        fn captures_stand_for_anything_within_their_part_of_a_path() {
            for (key, path) in [
                (KeyDef::Step("charge"), "charge"),
                (KeyDef::Step("ship-{sku}"), "ship-"),
                (KeyDef::Step("ship-{sku:>3}-{n}!"), "ship--b-c-d!"),
                (KeyDef::Step("{{a}}/{b}"), "{a}~1x~1y"),
                (KeyDef::Step("{}"), "whatever"),
                (KeyDef::Scope("parcel-{n}", ""), "parcel-1/label"),
                (KeyDef::Scope("parcel-{n}", ""), "parcel-1/box-2/label"),
                (KeyDef::Race("reply-{n}"), "reply-1/bot/answer"),
                (KeyDef::Call("pay-{n}"), "pay-1"),
                (KeyDef::Call("pay-{n}"), "undo:pay-1"),
                (KeyDef::Scope("parcel-{n}", ""), "parcel-1/undo:label"),
            ] {
                assert!(key.leads_to(path), "{key:?} {path}");
            }
            for (key, path) in [
                (KeyDef::Step("charge"), "charge-2"),
                (KeyDef::Step("ship-{sku}"), "shop-1"),
                (KeyDef::Step("ship-{sku}"), "ship-1/label"),
                (KeyDef::Step("a{b}a"), "a"),
                (KeyDef::Scope("parcel-{n}", ""), "parcel-1"),
                (KeyDef::Sleep("pause"), "pause"),
                (KeyDef::Race("reply"), "reply/bot"),
            ] {
                assert!(!key.leads_to(path), "{key:?} {path}");
            }
        }
    }
}
