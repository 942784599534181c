//! What a function may take besides its event.

use super::{
    definition::Invocation,
    state::{Need, State},
};
use crate::{error::Result, live::Context};

/// What a function may take besides its event.
#[diagnostic::on_unimplemented(
    message = "a function cannot take `{Self}`: after the event it takes `belts::Context` and `belts::State<…>`",
    label = "neither `belts::Context` nor `belts::State<…>`",
    note = "for a shared value write `belts::State<{Self}>`, and give it to the worker with `.state(…)`"
)]
pub trait Argument: Sized {
    /// What the worker must have for it.
    fn need() -> Option<Need> {
        None
    }

    /// The value for one attempt of a run.
    ///
    /// # Errors
    /// The worker does not have it.
    fn of(run: &Invocation) -> Result<Self>;
}

impl Argument for Context {
    fn of(run: &Invocation) -> Result<Self> {
        Ok(run.scope.context())
    }
}

impl<T: Clone + Send + Sync + 'static> Argument for State<T> {
    fn need() -> Option<Need> {
        Some(Need::of::<T>())
    }

    fn of(run: &Invocation) -> Result<Self> {
        run.scope.state().map(Self)
    }
}

/// axum's wrapper of the same name and shape, which stands in many a file that has functions too.
#[cfg(feature = "http")]
impl<T: Clone + Send + Sync + 'static> Argument for axum::extract::State<T> {
    fn need() -> Option<Need> {
        Some(Need::of::<T>())
    }

    fn of(run: &Invocation) -> Result<Self> {
        run.scope.state().map(Self)
    }
}
