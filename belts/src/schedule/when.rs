//! What the ticks of a schedule follow from.

use std::time::Duration;

/// What the ticks of a schedule follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    Cron {
        expression: String,
        zone: Option<String>,
    },
    Every(Duration),
}
