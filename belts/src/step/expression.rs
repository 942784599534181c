//! The expression of an attempt as what drives a step sees it: in its place, and of no type of its own.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::Attempted;
use crate::{error::Result, guard};

/// The future of an attempt. Each expression has a type of its own; behind this pointer none of them makes another copy of what
/// drives a step, which the compiler would have to work through once more.
pub struct Expression<'a, T>(Pin<&'a mut (dyn InPlace<T> + 'a)>);

impl<'a, T> Expression<'a, T> {
    /// The future in its place, which is empty after the attempt.
    pub fn new<F: Future<Output = Attempted<T>> + Send>(place: Pin<&'a mut Option<F>>) -> Self {
        Self(place)
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

trait InPlace<T>: Send {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>>;
    fn clear(self: Pin<&mut Self>);
}

impl<T, F: Future<Output = Attempted<T>> + Send> InPlace<T> for Option<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Attempted<T>>> {
        guard::poll(self, cx)
    }

    fn clear(self: Pin<&mut Self>) {
        guard::clear(self);
    }
}
