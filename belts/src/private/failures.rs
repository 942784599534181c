//! The functions whose failures a function handles, known at compile time.

use super::holds;
use crate::{
    event::EventSet,
    function::{FAILED, Function, FunctionDef},
};

/// A function whose failures another one handles.
pub const fn handled<M, F: Function<M> + Copy>(_: F) -> fn() -> &'static FunctionDef {
    F::definition
}

/// The types of the events that a function takes.
pub const fn types_of<M, F>(_: F) -> &'static [&'static str]
where
    F: Function<M> + Copy,
    F::Event: EventSet,
{
    F::Event::TYPES
}

/// Whether these are the types of a failure handler. It could otherwise handle its own failures, without end.
pub const fn are_of_a_handler(types: &[&str]) -> bool {
    holds(types, &[&[FAILED]])
}
