//! What is known of the heartbeats of an attempt.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::clock::Timestamp;

/// When an attempt was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// How often.
    pub(crate) times: u64,
    /// When it was the last time.
    pub(crate) at: Timestamp,
    /// How many of its heartbeats wait for the store.
    pub(crate) waiting: u32,
}

/// The heartbeats of an attempt that is under way.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) seq: u32,
    pub(super) latest: Arc<RawValue>,
    pub(super) heard: Heard,
    /// When the latest write for it was left.
    pub(super) written_at: Option<Timestamp>,
    /// Whether a write for the latest heartbeat was left.
    pub(super) is_written: bool,
    /// How many writes are under way.
    pub(super) writes: u32,
}
