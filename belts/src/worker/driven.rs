//! Which runs this process drives at the moment, so that it does not claim one of its own a second time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::Shared;

/// The runs that are driven here. A run counts twice for a moment when its lease was lost and won again.
#[derive(Debug, Default)]
pub(crate) struct Driven(Mutex<HashMap<Arc<str>, u32>>);

/// A run that is driven here, until this is dropped.
#[derive(Debug)]
pub(crate) struct Driving {
    worker: Arc<Shared>,
    run_id: Arc<str>,
}

impl Driving {
    pub(crate) fn new(worker: &Arc<Shared>, run_id: &Arc<str>) -> Self {
        let mut driven = worker
            .driven
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *driven.entry(Arc::clone(run_id)).or_default() += 1;
        drop(driven);
        Self {
            worker: Arc::clone(worker),
            run_id: Arc::clone(run_id),
        }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let mut driven = self
            .worker
            .driven
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = driven.get_mut(&self.run_id) {
            *count -= 1;
            if *count == 0 {
                driven.remove(&self.run_id);
            }
        }
    }
}

impl Shared {
    pub(crate) fn drives(&self, run_id: &str) -> bool {
        self.driven
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(run_id)
    }
}
