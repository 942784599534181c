//! The expression of an attempt, with its type erased.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::Attempted;
use crate::{error::Result, panic};

/// The future of an attempt, pinned where generated code put it. Each expression has a type of its own; behind this pointer, what
/// drives a step is compiled once for each type of result and not once for each expression.
///
/// Generated code makes it by coercion: each generic call on the type of a block is an obligation that rustc looks at again until
/// the end of the function around it.
pub(crate) type Expression<'a, T> = Pin<&'a mut (dyn Slot<T> + 'a)>;

/// The future in its slot, an `Option`, which is empty after the attempt.
pub trait Slot<T>: Send {
    /// Polls it; its panic is an error.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>>;

    /// Drops what is left of it, if anything is; a panic of that stays here.
    fn clear(self: Pin<&mut Self>);
}

impl<T, F: Future<Output = Attempted<T>> + Send> Slot<T> for Option<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>> {
        panic::poll(self, cx)
    }

    fn clear(self: Pin<&mut Self>) {
        panic::clear(self);
    }
}
