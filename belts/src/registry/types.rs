//! The event types that the program may await, as registration knows them.

use std::collections::BTreeSet;

use crate::function::{AwaitEntry, FunctionDef};

/// Those that a `wait!` of the program names, sorted.
pub(super) fn by_waits() -> Vec<&'static str> {
    let entries = inventory::iter::<AwaitEntry>.into_iter();
    sorted(entries.flat_map(|entry| entry.0.iter().copied()))
}

/// Those that cancel runs of a function, if it has the option; one may come twice.
pub(super) fn cancelling(def: &FunctionDef) -> Option<impl Iterator<Item = &'static str> + use<>> {
    let cancel_on = def.cancel_on.as_ref()?;
    Some(cancel_on.events.iter().copied().flatten().copied())
}

/// Those that cancel runs of these functions, sorted.
pub(super) fn by_options<'a>(defs: impl Iterator<Item = &'a FunctionDef>) -> Vec<&'static str> {
    sorted(defs.filter_map(cancelling).flatten())
}

fn sorted(types: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let types: BTreeSet<_> = types.collect();
    types.into_iter().collect()
}
