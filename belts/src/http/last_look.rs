//! How the store was when it was last asked.

use tokio::sync::Mutex;

use super::refusal::Refusal;
use crate::clock::Timestamp;

/// The answer and its time, if there is one.
#[derive(Debug, Default)]
pub(crate) struct LastLook(pub(super) Mutex<Option<(Timestamp, Result<(), Refusal>)>>);
