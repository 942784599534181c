//! The expression of an attempt, with its type erased.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::Attempted;
use crate::{error::Result, guard};

/// The future of an attempt, pinned where generated code put it. Each expression has a type of its own; behind this pointer, what
/// drives a step is compiled once for each type of result and not once for each expression.
pub struct Expression<'a, T>(Pin<&'a mut (dyn Slot<T> + 'a)>);

impl<'a, T> Expression<'a, T> {
    /// The future in its slot, which is empty after the attempt.
    pub fn new<F: Future<Output = Attempted<T>> + Send>(slot: Pin<&'a mut Option<F>>) -> Self {
        Self(slot)
    }

    /// Polls it; its panic is an error.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>> {
        self.0.as_mut().poll(cx)
    }

    /// Drops what is left of it, if anything is; a panic of that stays here.
    pub(super) fn clear(&mut self) {
        self.0.as_mut().clear();
    }
}

impl<T> fmt::Debug for Expression<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").finish_non_exhaustive()
    }
}

trait Slot<T>: Send {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>>;
    fn clear(self: Pin<&mut Self>);
}

impl<T, F: Future<Output = Attempted<T>> + Send> Slot<T> for Option<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>> {
        guard::poll(self, cx)
    }

    fn clear(self: Pin<&mut Self>) {
        guard::clear(self);
    }
}
