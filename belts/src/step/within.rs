//! A length of time as a method takes it.

use std::time::Duration;

use crate::clock::duration;

/// A time that [`Callback::result_within`](crate::Callback::result_within) and
/// [`RunHandle::result_within`](crate::RunHandle::result_within) take: a `Duration`, or text such as `"2d"`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a length of time",
    note = "give a `Duration`, or text such as `\"2d\"`"
)]
pub trait Within: sealed::Sealed {
    /// The time, or the text that is none.
    #[doc(hidden)]
    fn within(self) -> Result<Duration, String>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for std::time::Duration {}
    impl Sealed for &str {}
}

impl Within for Duration {
    fn within(self) -> Result<Duration, String> {
        Ok(self)
    }
}

impl Within for &str {
    fn within(self) -> Result<Duration, String> {
        duration(self).ok_or_else(|| crate::plain::plain(self).into_owned())
    }
}
