//! A message that has arrived, and how long one may take.

use std::time::Duration;

use crate::clock::Timestamp;

/// Far more than anything here takes, and less than a test may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A body that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) body: Vec<u8>,
    pub(super) at: Timestamp,
}
