//! The functions whose failures a function handles, known at compile time.

use super::holds;
use crate::{
    event::EventSet,
    function::{FAILED, Function, Handled},
};

/// A function whose failures another one handles.
pub const fn handled<M, F>(_: F) -> Handled
where
    F: Function<M> + Copy,
    F::Event: EventSet,
{
    let types = <F::Event as EventSet>::TYPES;
    Handled {
        function: F::definition,
        types,
        is_a_handler: holds(types, &[&[FAILED]]),
    }
}
