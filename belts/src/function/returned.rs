//! What a function may return.

use crate::{error::Result, step::AnyError};

/// What a function may return.
#[diagnostic::on_unimplemented(
    message = "a belts function returns `Result<T, E>`, not `{Self}`",
    label = "not a `Result`",
    note = "write `belts::Result<{Self}>` and end with `Ok(…)`"
)]
pub trait Returned {
    /// What it returns when it succeeds.
    type Output;
    /// As a result of belts.
    ///
    /// # Errors
    /// The function failed.
    fn into_result(self) -> Result<Self::Output>;
}

impl<T, E: AnyError> Returned for std::result::Result<T, E> {
    type Output = T;
    fn into_result(self) -> Result<T> {
        self.map_err(E::into_error)
    }
}
