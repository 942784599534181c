//! The failure handlers of the program.

use std::collections::HashMap;

use crate::function::{FunctionDef, FunctionEntry};

/// The ids of the failure handlers of each function that has some, sorted. They are those of the program, whichever of them this
/// worker has.
#[derive(Debug, Default)]
pub(super) struct Handlers(HashMap<&'static str, Vec<&'static str>>);

impl Handlers {
    pub(super) fn linked() -> Self {
        Self::of(
            inventory::iter::<FunctionEntry>
                .into_iter()
                .map(|entry| entry.0),
        )
    }

    fn of(defs: impl Iterator<Item = &'static FunctionDef>) -> Self {
        let mut handlers = HashMap::<_, Vec<_>>::new();
        for def in defs {
            for handled in def.on_failure {
                handlers
                    .entry((handled.function)().id)
                    .or_default()
                    .push(def.id);
            }
        }
        for ids in handlers.values_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        Self(handlers)
    }

    /// The ids of the functions that handle the failures of this one.
    pub(super) fn of_function(&self, function_id: &str) -> &[&'static str] {
        self.0.get(function_id).map_or(&[], Vec::as_slice)
    }
}
