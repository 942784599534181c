//! The failure handlers of the program.

use std::collections::HashMap;

use crate::{
    function::{FunctionDef, FunctionEntry},
    store::RunStatus,
};

/// The ids of the failure handlers of each function that has some, sorted. They are those of the program, whichever of them this
/// worker has.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    of_failures: ByFunction,
    /// Of these, those that handle cancels as well.
    of_cancels: ByFunction,
}

type ByFunction = HashMap<&'static str, Vec<&'static str>>;

impl Handlers {
    pub(super) fn linked() -> Self {
        Self::of(
            inventory::iter::<FunctionEntry>
                .into_iter()
                .map(|entry| entry.0),
        )
    }

    fn of(defs: impl Iterator<Item = &'static FunctionDef>) -> Self {
        let mut handlers = Self::default();
        for def in defs {
            for handled in def.on_failure {
                let function = (handled.function)().id;
                let failures = handlers.of_failures.entry(function).or_default();
                failures.push(def.id);
                if def.handles_cancels {
                    let cancels = handlers.of_cancels.entry(function).or_default();
                    cancels.push(def.id);
                }
            }
        }
        let failures = handlers.of_failures.values_mut();
        for ids in failures.chain(handlers.of_cancels.values_mut()) {
            ids.sort_unstable();
            ids.dedup();
        }
        handlers
    }

    /// The ids of the functions that handle it when a run of this one ends so.
    pub(super) fn of_function(&self, function_id: &str, status: RunStatus) -> &[&'static str] {
        let handlers = match status {
            RunStatus::Failed => &self.of_failures,
            RunStatus::Cancelled => &self.of_cancels,
            _ => return &[],
        };
        handlers.get(function_id).map_or(&[], Vec::as_slice)
    }
}
