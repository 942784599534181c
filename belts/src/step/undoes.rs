//! What the code says of how a step is undone.

use std::{fmt, future::Future, marker::PhantomData, sync::Arc, time::Duration};

use super::{AnyError, Attempted, Caught};
use crate::{
    codec::Decoded,
    error::{Error, ErrorKind, Result},
    live::{LiveRun, Undo, UndoAttempt},
};

/// What the future of an `undo` may come to.
#[diagnostic::on_unimplemented(
    message = "an `undo` ends with `()` or a `Result`, not with `{Self}`",
    label = "ends with `{Self}`",
    note = "nobody reads what an `undo` returns; end it with `;`"
)]
pub trait Undone {
    /// Whether it has gone well.
    ///
    /// # Errors
    /// It has not; the attempt is tried again.
    fn undone(self) -> Attempted<()>;
}

impl Undone for () {
    fn undone(self) -> Attempted<()> {
        Ok(())
    }
}

impl<T, E: AnyError> Undone for std::result::Result<T, E> {
    fn undone(self) -> Attempted<()> {
        match self {
            Ok(_) => Ok(()),
            Err(error) => Err(Caught(error.into_error())),
        }
    }
}

/// What the code says of how a step is undone.
pub(super) enum Undoes {
    No,
    /// It says so, and nobody asks how.
    Yes,
    By(Option<Box<dyn Undo>>),
}

impl fmt::Debug for Undoes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_known() { "yes" } else { "no" })
    }
}

impl Undoes {
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::No)
    }

    /// Tells a run that is undone how; whether any other is to record that it can be.
    pub(super) fn offer(&mut self, run: &LiveRun, path: &Arc<str>) -> bool {
        if let Self::By(undo) = self
            && let Some(undo) = undo.take()
        {
            run.offer_undo(path, undo);
        }
        matches!(self, Self::Yes)
    }
}

/// The closure of an `undo`, which takes the step's result.
pub(super) struct Closure<T, F> {
    undo: F,
    decode: fn(&[u8]) -> Result<Decoded<T>>,
    timeout: Option<Duration>,
    of: PhantomData<fn(T)>,
}

impl<T, F> Closure<T, F> {
    pub(super) fn new(
        undo: F,
        decode: fn(&[u8]) -> Result<Decoded<T>>,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            undo,
            decode,
            timeout,
            of: PhantomData,
        }
    }
}

impl<T, F, R> Undo for Closure<T, F>
where
    F: Fn(T) -> R + Send,
    R: Future<Output: Undone> + Send + 'static,
{
    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn attempt(&self, value: &[u8]) -> Result<UndoAttempt> {
        match (self.decode)(value) {
            Ok(Decoded::Ok(value)) => {
                let undoing = (self.undo)(value);
                Ok(Box::pin(async move { undoing.await.undone() }))
            }
            Ok(Decoded::Err(_)) => Err(cannot("it has failed")),
            Err(error) => {
                let expected = std::any::type_name::<T>();
                let text = format!("its result cannot be read as `{expected}`");
                Err(cannot(&text).with_source(error))
            }
        }
    }
}

/// The error of a step that cannot be undone, which may be another one with other code.
pub(crate) fn cannot(why: &str) -> Error {
    Error::new(ErrorKind::Failed, format!("could not be undone: {why}"))
}
