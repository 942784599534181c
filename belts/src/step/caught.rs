//! Any error on its way out of a step or a function.

use std::future::Future;

use crate::error::{BoxError, Error};

/// What may stand in the `Err` of a step or function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a step or function can return",
    label = "fails with `{Self}`",
    note = "implement `std::error::Error` for `{Self}`, or map it to a `String`, an `anyhow::Error` or a `belts::Error`",
    note = "a boxed error is `Box<dyn std::error::Error + Send + Sync>`, since a run may resume on another thread"
)]
pub trait AnyError {
    /// As an error of belts.
    fn into_error(self) -> Error;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> AnyError for E {
    fn into_error(self) -> Error {
        Error::from_any(self)
    }
}

/// Any error on its way out of a step's expression. It is no error itself, so that `?` makes one of every error there is.
#[derive(Debug)]
pub struct Caught(pub(crate) Error);

/// What an attempt at a step comes to.
pub type Attempted<T> = std::result::Result<T, Caught>;

impl<E: Into<BoxError>> From<E> for Caught {
    fn from(error: E) -> Self {
        Self(Error::from_any(error))
    }
}

impl AnyError for Caught {
    fn into_error(self) -> Error {
        self.0
    }
}

/// Names the error of an `async` block that ends with `Ok(…)` and says of no error what it is.
pub fn of_any_error<T, F>(block: F) -> F
where
    F: Future<Output = std::result::Result<T, Caught>>,
{
    block
}
