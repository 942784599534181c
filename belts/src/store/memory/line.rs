//! What is kept of lines in memory.

use std::{collections::HashMap, sync::Arc};

use crate::store::Lane;

/// The limits that a run counts for, by pool and key.
pub(super) type Lanes = Vec<(Arc<str>, Arc<str>)>;

/// Where a run stands while it is due.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Line {
    /// What it counts for, with the limits of whoever published it.
    pub(super) lanes: Vec<Lane>,
    /// How much earlier than it is due, in milliseconds.
    pub(super) shift: i64,
}

/// What all claims know of lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The limits by which runs were claimed last.
    pub(super) limits: HashMap<Arc<str>, u32>,
    /// The last turns of lines that had work then.
    pub(super) served: HashMap<(usize, Lanes), i64>,
    pub(super) last_turn: i64,
    /// Whether a place has become free since somebody was told of it.
    pub(super) freed: bool,
}
