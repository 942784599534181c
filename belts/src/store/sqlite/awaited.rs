//! What a store remembers of who may wait for what, between transactions.

use std::collections::{HashMap, HashSet};

/// Which functions may wait for events, and of which types.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    by_type: HashMap<i64, HashSet<i64>>,
    functions: HashSet<i64>,
}

impl Awaited {
    pub(super) fn add(&mut self, function: i64, event_type: i64) {
        self.functions.insert(function);
        self.by_type.entry(event_type).or_default().insert(function);
    }

    pub(super) fn has_type(&self, event_type: i64) -> bool {
        self.by_type.contains_key(&event_type)
    }

    pub(super) fn has_function(&self, function: i64) -> bool {
        self.functions.contains(&function)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    pub(super) fn has(&self, function: i64, event_type: i64) -> bool {
        let functions = self.by_type.get(&event_type);
        functions.is_some_and(|functions| functions.contains(&function))
    }
}
