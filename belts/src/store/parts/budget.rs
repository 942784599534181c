//! What is left of a worker's capacity while runs are given to it.

use std::{collections::HashMap, sync::Arc};

use crate::store::{Capacity, FunctionCapacity};

/// What is left of a worker's capacity while runs are given to it.
///
/// ```
/// use belts::store::{Capacity, FunctionCapacity, WorkerId, parts::Budget};
/// let capacity = Capacity::new(WorkerId(1), 10, [FunctionCapacity::new("ship-order", 1)]);
/// let mut budget = Budget::new(&capacity);
/// assert!(!budget.take("bake-cake", "order-created"), "the worker does not have it");
/// assert!(budget.take("ship-order", "order-created"));
/// assert!(!budget.take("ship-order", "order-created"), "one run of it was all");
/// ```
#[derive(Debug, Clone)]
pub struct Budget {
    limit: usize,
    functions: HashMap<Arc<str>, FunctionCapacity>,
}

impl Budget {
    /// All of a capacity.
    pub fn new(capacity: &Capacity) -> Self {
        let functions = capacity
            .functions
            .iter()
            .map(|function| (Arc::clone(&function.function_id), function.clone()));
        Self {
            limit: capacity.limit,
            functions: functions.collect(),
        }
    }

    /// Takes the place of one run of the function for an event of this type; whether there was one.
    pub fn take(&mut self, function: &str, event_type: &str) -> bool {
        match self.functions.get_mut(function) {
            Some(left) if left.limit > 0 && self.limit > 0 && left.reads(event_type) => {
                left.limit -= 1;
                self.limit -= 1;
                true
            }
            _ => false,
        }
    }
}
