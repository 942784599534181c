//! What has been warned of, so that it is logged once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// What has been warned of.
#[derive(Debug, Default)]
pub(super) struct Warned(Mutex<HashSet<Arc<str>>>);

impl Warned {
    /// Whether this is the first warning about it.
    pub(super) fn is_first(&self, about: &Arc<str>) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warned.insert(Arc::clone(about))
    }
}
