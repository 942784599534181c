//! How much time the runs of a function have.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// A function and the time that its runs have: see [`limits_since`](crate::store::parts::limits_since).
///
/// ```
/// use belts::{Timestamp, store::{Limits, Register}};
/// use std::time::Duration;
/// let limits = Limits::new("ship-order").with_finish_within(Duration::from_secs(3_600));
/// let register = Register::new(Timestamp::from_millis(0), Duration::from_secs(30)).with_limits(vec![limits]);
/// assert_eq!(register.limits[0].start_within, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// The function's id.
    pub function_id: Arc<str>,
    /// A run must have been claimed by then.
    pub start_within: Option<Duration>,
    /// A run must have ended by then.
    pub finish_within: Option<Duration>,
}

impl Limits {
    /// A function whose runs have all the time they want.
    pub fn new(function_id: impl Into<Arc<str>>) -> Self {
        Self {
            function_id: function_id.into(),
            start_within: None,
            finish_within: None,
        }
    }

    /// Sets the time within which a run must have been claimed.
    #[must_use]
    pub fn with_start_within(mut self, within: impl Into<Option<Duration>>) -> Self {
        self.start_within = within.into();
        self
    }

    /// Sets the time within which a run must have ended.
    #[must_use]
    pub fn with_finish_within(mut self, within: impl Into<Option<Duration>>) -> Self {
        self.finish_within = within.into();
        self
    }

    /// Whether it limits anything.
    pub fn is_some(&self) -> bool {
        self.start_within.is_some() || self.finish_within.is_some()
    }
}
