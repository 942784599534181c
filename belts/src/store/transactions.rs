//! Stores whose writes can be part of a transaction of their users.

use std::any::Any;

/// A store that can write in its users' transactions; see [`Store::transactions`](super::Store::transactions).
///
/// Which of belts' own stores it is stays between them and the worker: a store that wraps another one hands on what that one says.
#[derive(Debug, Clone, Copy)]
pub struct Transactions<'a>(&'a (dyn Any + Send + Sync));

impl<'a> Transactions<'a> {
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn of(store: &'a (dyn Any + Send + Sync)) -> Self {
        Self(store)
    }

    /// The store, if it is of this type.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn store<S: 'static>(self) -> Option<&'a S> {
        self.0.downcast_ref()
    }
}

/// An event for a transaction.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[derive(Debug)]
pub(crate) struct Within {
    pub(crate) event: super::NewEvent,
    /// Nothing is written of it where it starts no run.
    pub(crate) must_start: bool,
}

/// How the transaction of a step ended.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[derive(Debug)]
pub(crate) enum End {
    /// The step is recorded: with another value where that was there before, and this transaction was rolled back.
    Committed(Option<std::sync::Arc<[u8]>>),
    /// The lease stands no longer, and nothing was committed.
    Lost,
    /// Nothing was committed, and the same may succeed at once.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "SQLite has one writer")
    )]
    Again(crate::Error),
    /// Nothing was committed, and that is the outcome of the attempt.
    Failed(crate::Error),
}

/// What an error of the user's own in a transaction means that is no outcome of the step.
#[cfg(feature = "postgres")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The same may succeed at once.
    Again,
    /// The connection has failed.
    Cut,
}
