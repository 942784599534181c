//! What is known of the options of one macro.

use crate::diag::suggest;

/// The options of one macro, each with an example that messages show.
pub(crate) struct Table(pub(super) &'static [(&'static str, &'static str)]);

impl Table {
    pub(super) const fn new(options: &'static [(&'static str, &'static str)]) -> Self {
        Self(options)
    }

    pub(super) fn example(&self, name: &str) -> &'static str {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map_or("", |(_, example)| example)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    pub(super) fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    /// What to say of an option of `call!` in a `start!`, and the other way round.
    pub(super) fn of_the_other(&self, name: &str) -> Option<&'static str> {
        match name {
            "timeout" if self.has("attached") => Some(
                "`start!` has no `timeout`, since it does not wait; put the limit on the wait: `audit.result_within(\"1h\").await?`",
            ),
            "detached" if self.has("attached") => Some(
                "what `start!` starts is `detached` by itself: it goes on whatever becomes of the run that started it; leave this out",
            ),
            "attached" if self.has("detached") => Some(
                "what `call!` calls is `attached` by itself: it is cancelled with the run that called it; leave this out",
            ),
            _ => None,
        }
    }

    /// Whether an option of this name may stand without a value.
    pub(super) fn is_flag(&self, name: &str) -> bool {
        self.example(name).ends_with("= true")
    }

    /// Whether an option of this name may have options of its own.
    pub(super) fn takes_args(&self, name: &str) -> bool {
        self.example(name)
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('('))
            || (name == "concurrency" && self.has("throttle"))
    }

    /// Whether an option of this name has options of its own, and nothing else.
    pub(super) fn takes_args_only(&self, name: &str) -> bool {
        self.takes_args(name) && name != "concurrency"
    }

    pub(super) fn unknown(&self, name: &str) -> String {
        if self.has("page") && name == "timeout" {
            return "`callback!` has no `timeout`; put the limit on the wait: `approval.result_within(\"3d\").await?`".to_owned();
        }
        if let Some(told) = self.of_the_other(name) {
            return told.to_owned();
        }
        if self.0.is_empty() {
            return format!("unknown option `{name}`; there are no options here");
        }
        format!("unknown option `{name}`; {}", suggest(name, &self.names()))
    }
}
