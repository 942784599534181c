//! What is heard of a run that is rehearsed.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{clock::Timestamp, store::StepKind};

/// What is known of a run that is rehearsed.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// When it is: sleeps that are over by then are over.
    pub(super) now: Timestamp,
    played: Mutex<Played>,
}

/// What the function has done so far.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// The recorded paths that it has reached.
    pub(crate) reached: HashSet<Arc<str>>,
    /// The steps that it would begin, in the order in which it reached them.
    pub(crate) begins: Vec<Beginning>,
    /// The recorded steps that are not over.
    pub(crate) goes_on_at: Vec<Arc<str>>,
    /// What would fail the run although the function goes on here.
    pub(crate) misfits: Vec<String>,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
    /// The types of the results that its steps have in the code, by path.
    pub(super) types: HashMap<Arc<str>, &'static str>,
}

/// A step that would begin.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    pub(crate) path: Arc<str>,
    pub(crate) kind: StepKind,
    /// The type of its result, where that is known.
    pub(crate) type_name: Option<&'static str>,
}

impl Played {
    /// Whether it waits for something that is not recorded.
    pub(crate) fn has_arrived(&self) -> bool {
        !self.begins.is_empty() || !self.goes_on_at.is_empty()
    }
}

impl Rehearsal {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            now,
            played: Mutex::default(),
        }
    }

    pub(crate) fn played(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
