//! Functions: the typed handle that `#[belts::function]` leaves behind, and their options.

use std::{fmt, marker::PhantomData, time::Duration};

use crate::{private::FunctionDef, run::Backoff};

/// A handle to an annotated function; the function's own name is one.
///
/// ```
/// use belts::{Event, step};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Event)]
/// struct Signup { email: String }
///
/// #[belts::function(id = "welcome-by-mail", on = Signup)]
/// async fn welcome(signup: Signup) -> belts::Result<usize> {
///     step!("count", signup.email.len()).await
/// }
///
/// assert_eq!(welcome.id(), "welcome-by-mail");
/// ```
pub struct Function<E, T> {
    def: &'static FunctionDef,
    types: PhantomData<fn(E) -> T>,
}

impl<E, T> Function<E, T> {
    pub(crate) const fn from_def(def: &'static FunctionDef) -> Self {
        Self {
            def,
            types: PhantomData,
        }
    }

    /// The function's id.
    pub const fn id(self) -> &'static str {
        self.def.id
    }

    pub(crate) const fn def(self) -> &'static FunctionDef {
        self.def
    }
}

impl<E, T> Clone for Function<E, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T> Copy for Function<E, T> {}

impl<E, T> fmt::Debug for Function<E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.def.id).finish()
    }
}

/// The options of a function, resolved.
#[derive(Debug, Clone, Default)]
pub struct FunctionOptions {
    /// Retries of the function as a whole; 3 where `None`.
    pub retries: Option<u32>,
    /// Wait between them; 1 s to 60 s where `None`.
    pub backoff: Option<Backoff>,
    /// The longest that one attempt may be driven without a pause.
    pub timeout: Option<Duration>,
    /// The most runs of it at once in one process.
    pub concurrency: Option<usize>,
    /// The most steps of one run; what the worker says where `None`.
    pub max_steps: Option<u32>,
    /// Whether steps go on in place, or each in a delivery of its own.
    pub continuation: Continuation,
}

/// How a run goes on after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Continuation {
    /// In place: the next step follows at once.
    #[default]
    Inline,
    /// Each step in a delivery of its own, for hosts with short time limits.
    PerStep,
}
