//! Which events the runs of the functions may hear of: those that a `wait!` names, and those that cancel them.

use std::{collections::BTreeSet, sync::Arc};

use super::{Registered, Registry, place};
use crate::{
    callback::CallbackEntry,
    error::{Error, ErrorKind, Result},
    function::KeyDef,
    store::{Awaits, RunStatus},
};

impl Registry {
    /// Whether a run may hear of an event.
    #[cfg(feature = "http")]
    pub(crate) fn may_wait(&self) -> bool {
        !self.awaited.is_empty() || !self.cancelling.is_empty()
    }

    /// Whether a run of this function may start others. One that this program does not have may.
    pub(crate) fn may_start(&self, function: &str) -> bool {
        let known = self.index(function).map(|index| &self.functions[index]);
        known.is_none_or(super::Registered::may_start)
            || !self.handlers(function, RunStatus::Failed).is_empty()
    }

    /// Whether a `wait!` of the program or a `cancel_on` names this event type.
    pub(crate) fn awaits(&self, event_type: &str) -> bool {
        let mut all = [&self.awaited, &self.cancelling].into_iter();
        all.any(|types| types.binary_search(&event_type).is_ok())
    }

    /// What each function may hear of. Of which waits a function has the program knows no more than the names of the types.
    pub(crate) fn awaited(&self) -> Vec<Awaits> {
        let each = self.functions.iter().map(|function| {
            let waits = if function.may_wait() {
                &self.awaited[..]
            } else {
                &[]
            };
            let cancelling = function.cancel_types().into_iter().flatten();
            let types: BTreeSet<_> = waits.iter().copied().chain(cancelling).collect();
            (function, types)
        });
        each.filter(|(_, types)| !types.is_empty())
            .map(|(function, types)| Awaits::new(Arc::clone(&function.id), types))
            .collect()
    }

    /// Whether this store keeps what the functions wait for.
    ///
    /// # Errors
    /// It does not; the error names the functions. Or a callback's page has nothing to choose from.
    pub(crate) fn check_waits(&self, keeps_waits: bool) -> Result<()> {
        CallbackEntry::check_pages()?;
        let waits = |function: &&Registered| {
            let mut keys = function.def.keys.iter();
            let has_one = keys.any(|key| {
                matches!(
                    key,
                    KeyDef::Wait(_) | KeyDef::Callback(_) | KeyDef::Call(_) | KeyDef::Start(_)
                )
            });
            has_one
                || function.def.cancel_on.is_some()
                || !self.handlers(function.def.id, RunStatus::Failed).is_empty()
        };
        let waiting: Vec<_> = self.functions.iter().filter(waits).collect();
        if keeps_waits || waiting.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = waiting
            .iter()
            .map(|function| format!("`{}` at {}", function.id, place(function.def)))
            .collect();
        Err(Error::new(
            ErrorKind::Config,
            format!(
                "this store keeps no waits, which `wait!`, `callback!`, `call!`, `start!`, `cancel_on` and `on_failure` need; choose another store. Functions that \
                 wait: {}",
                places.join(", ")
            ),
        ))
    }
}

impl Registered {
    /// Whether it may start other runs, as far as one can tell before it runs.
    fn may_start(&self) -> bool {
        self.def.keys.iter().any(|key| {
            matches!(
                key,
                KeyDef::Call(_) | KeyDef::Start(_) | KeyDef::Race(_) | KeyDef::Scope(..)
            )
        })
    }

    /// Whether it may wait, as far as one can tell before it runs: it has a wait of its own, or a helper or a race that may have one.
    fn may_wait(&self) -> bool {
        self.def.keys.iter().any(|key| {
            matches!(
                key,
                KeyDef::Wait(_)
                    | KeyDef::Callback(_)
                    | KeyDef::Call(_)
                    | KeyDef::Start(_)
                    | KeyDef::Race(_)
                    | KeyDef::Scope(..)
            )
        })
    }
}
