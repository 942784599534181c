//! The one error of belts: what went wrong, whether trying again can help, and where.

pub(crate) mod class;
pub(crate) mod failure;
mod links;
mod replayed;
mod terminal;
pub(crate) mod value;
mod valued;

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

pub use terminal::{Terminal, retry_after, terminal};

pub(crate) use class::BoxError;
use class::Class;

use crate::{
    panic,
    plain::{Clean, plain},
};

/// `Result` with [`belts::Error`](Error).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of belts or of a step.
///
/// [`kind`](Error::kind) says what went wrong, the ids say where, and [`source`](StdError::source) why.
/// `Display` prints this level only; print the chain of sources for the rest.
///
/// ```
/// let declined = belts::terminal("card declined");
/// assert_eq!(declined.kind(), belts::ErrorKind::Terminal);
/// assert!(!declined.is_retryable());
/// assert_eq!(declined.report(), "terminal error: card declined");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: Option<String>,
    run: Option<Arc<str>>,
    function: Option<Arc<str>>,
    step: Option<Arc<str>>,
    source: Option<BoxError>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A step's or function's own error; it is retried by its policy.
    Failed,
    /// An error that user code marked as final with [`terminal`](crate::error::terminal()).
    Terminal,
    /// An error that user code asked to retry later with [`retry_after`](crate::retry_after()).
    RetryAfter,
    /// A step failed for good; its failure is recorded and comes back the same on every attempt.
    StepFailed,
    /// A step's expression or a function panicked.
    Panicked,
    /// A step or function took longer than its `timeout`.
    TimedOut,
    /// An attempt of a step was begun, and its process died or its time ran out before its outcome was recorded.
    OutcomeUnknown,
    /// A step key was reached twice in one attempt of a run.
    DuplicateKey,
    /// A step ran inside another step's expression.
    NestedStep,
    /// A run reached more steps than it may have.
    TooManySteps,
    /// The journal holds another kind of step, or a value that the step's type cannot be read from.
    Mismatch,
    /// A value could not be written as JSON, or not be read back from what was written.
    Codec,
    /// A value or body exceeds its size limit.
    TooLarge,
    /// An event does not fit its type or its `validate` check.
    InvalidEvent,
    /// Nobody anywhere subscribes to the event's type.
    UnknownEvent,
    /// The named function is not known.
    UnknownFunction,
    /// No run has that id.
    UnknownRun,
    /// There is no callback of that id.
    UnknownCallback,
    /// There is no schedule of that name.
    UnknownSchedule,
    /// A callback was to be completed whose run has ended, or that was made by an arm of a race that lost.
    CallbackClosed,
    /// A callback was completed with a failure.
    CallbackFailed,
    /// A run that this one has called or started did not complete: it failed, was cancelled, was skipped by its function's `when`, was
    /// purged, or took too long.
    Child,
    /// No worker is installed, and none was given.
    NoWorker,
    /// The run was cancelled.
    Cancelled,
    /// Another event, of another type or content, is there under the same id; or what is asked for would harm what goes on.
    Conflict,
    /// Processes died again and again with the run in hand.
    Crashed,
    /// What the run left to be recorded was refused by the store again and again, which worked otherwise.
    Unwritable,
    /// Another worker drives the run, or the worker's lease ended; or somebody publishes an event of the same id in a transaction
    /// that stays open.
    Busy,
    /// The store failed; nothing was recorded.
    Store,
    /// The dispatcher failed; whether the message arrives is not known.
    Dispatcher,
    /// A setting is wrong.
    Config,
    /// A signature is missing or wrong.
    Signature,
    /// The worker is shutting down.
    Shutdown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: Some(message.into()),
            run: None,
            function: None,
            step: None,
            source: None,
        }))
    }

    /// A failure of a store, for implementors of [`Store`](crate::store::Store): it is retried and never recorded.
    ///
    /// ```
    /// let error = belts::Error::store("cannot write to the journal", std::io::Error::other("disk full"));
    /// assert_eq!(error.report(), "cannot write to the journal: disk full");
    /// assert!(error.is_retryable());
    /// ```
    pub fn store(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Store, message).with_source(source)
    }

    /// A failure of a dispatcher, for implementors of [`Dispatcher`](crate::dispatch::Dispatcher): it is retried and never
    /// recorded.
    ///
    /// ```
    /// let error = belts::Error::dispatcher("cannot reach the queue", std::io::Error::other("timed out"));
    /// assert_eq!(error.kind(), belts::ErrorKind::Dispatcher);
    /// assert!(error.is_retryable());
    /// ```
    pub fn dispatcher(message: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::new(ErrorKind::Dispatcher, message).with_source(source)
    }

    /// An event that must start something and would not.
    pub(crate) fn nobody_subscribes(event_type: &str) -> Self {
        Self::new(
            ErrorKind::UnknownEvent,
            format!(
                "no function subscribes to `{event_type}`, so it was not published: start the worker that has one first, and \
                 see that its crate is linked in"
            ),
        )
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_run(mut self, run: &Arc<str>) -> Self {
        self.0.run = Some(Arc::clone(run));
        self
    }

    pub(crate) fn with_function(mut self, function: &Arc<str>) -> Self {
        self.0.function = Some(Arc::clone(function));
        self
    }

    pub(crate) fn with_step(mut self, step: &Arc<str>) -> Self {
        self.0.step = Some(Arc::clone(step));
        self
    }

    /// The same error for another who asked for what failed. What it wraps is in its text alone.
    pub(crate) fn same(&self) -> Self {
        Self::new(self.kind(), self.report())
    }

    /// Turns any error that a step or function may return into an [`Error`].
    ///
    /// An [`Error`] comes out as it went in; a class put on by [`terminal`](crate::error::terminal()) or
    /// [`retry_after`](crate::retry_after()) is found anywhere in the chain.
    ///
    /// ```
    /// let error = belts::Error::from_any(std::io::Error::other("offline"));
    /// assert_eq!(error.kind(), belts::ErrorKind::Failed);
    /// assert_eq!(error.to_string(), "offline");
    /// ```
    pub fn from_any(error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => {
                let mut own = Self::failed("", other);
                own.0.message = None;
                own
            }
        }
    }

    /// An error of a user, with the class that it has somewhere in its chain.
    pub(crate) fn failed(message: &str, source: impl Into<BoxError>) -> Self {
        let source = source.into();
        let kind = match Class::of(source.as_ref()) {
            Some(Class::Terminal) => ErrorKind::Terminal,
            Some(Class::RetryAfter(_)) => ErrorKind::RetryAfter,
            Some(Class::Recorded) => ErrorKind::StepFailed,
            None => ErrorKind::Failed,
        };
        Self::new(kind, message).with_source(source)
    }

    /// The error that this one prints in its own place, having no message.
    pub(crate) fn held(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        self.0.message.is_none().then_some(source)
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether another try can help.
    pub fn is_retryable(&self) -> bool {
        !matches!(
            self.0.kind,
            ErrorKind::Terminal
                | ErrorKind::StepFailed
                | ErrorKind::OutcomeUnknown
                | ErrorKind::DuplicateKey
                | ErrorKind::NestedStep
                | ErrorKind::TooManySteps
                | ErrorKind::Mismatch
                | ErrorKind::Codec
                | ErrorKind::TooLarge
                | ErrorKind::InvalidEvent
                | ErrorKind::UnknownFunction
                | ErrorKind::UnknownRun
                | ErrorKind::UnknownCallback
                | ErrorKind::UnknownSchedule
                | ErrorKind::CallbackClosed
                | ErrorKind::CallbackFailed
                | ErrorKind::Child
                | ErrorKind::NoWorker
                | ErrorKind::Cancelled
                | ErrorKind::Conflict
                | ErrorKind::Crashed
                | ErrorKind::Config
                | ErrorKind::Signature
        )
    }

    /// Whether a store or a dispatcher failed, here or anywhere in the chain: that is never the outcome of a step or of a run.
    pub(crate) fn is_service_failure(&self) -> bool {
        self.failed_service().is_some()
    }

    /// `Store` or `Dispatcher`, if the failure of one is what it is about, or what it wraps.
    pub(crate) fn failed_service(&self) -> Option<ErrorKind> {
        failed_service(self)
    }

    /// The least wait before another try, where the error asked for one.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.class() {
            Some(Class::RetryAfter(delay)) => Some(delay),
            _ => None,
        }
    }

    /// The run in which it happened.
    pub fn run_id(&self) -> Option<&str> {
        self.0.run.as_deref()
    }

    /// The function in which it happened.
    pub fn function_id(&self) -> Option<&str> {
        self.0.function.as_deref()
    }

    /// The path of the step in which it happened.
    pub fn step(&self) -> Option<&str> {
        self.0.step.as_deref()
    }

    /// This error and its sources in one line, joined by `: `. Control characters and others that would steer a terminal or a
    /// log are written out, such as a line break as `\n`.
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        for error in panic::chain(self).skip(1) {
            let text = panic::text(error, false);
            // A wrapper that prints its source's text already said it.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
        }
        plain(&line).into_owned()
    }

    pub(crate) fn class(&self) -> Option<Class> {
        Class::of(self)
    }
}

/// `Store` or `Dispatcher`, if the failure of one is anywhere in the chain of an error.
fn failed_service(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    panic::chain(error)
        .filter_map(|error| error.downcast_ref::<Error>())
        .map(Error::kind)
        .find(|kind| matches!(kind, ErrorKind::Store | ErrorKind::Dispatcher))
}

/// The failure of a store or a dispatcher, if that is anywhere in the chain of an error.
pub(crate) fn service_failure(error: &(dyn StdError + 'static)) -> Option<Error> {
    let kind = failed_service(error)?;
    let mut own = panic::chain(error).filter_map(|error| error.downcast_ref::<Error>());
    let own = own.find(|error| error.kind() == kind)?;
    Some(Error::new(kind, own.report()))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.message, &self.0.source) {
            (Some(message), _) => f.write_str(message),
            (None, Some(source)) => f.write_str(&panic::text(source, f.alternate())),
            (None, None) => write!(f, "{:?}", self.0.kind),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.report())?;
        for (name, id) in [
            ("function", &self.0.function),
            ("run", &self.0.run),
            ("step", &self.0.step),
        ] {
            if let Some(id) = id {
                write!(f, " [{name} {}]", Clean(id))?;
            }
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        // Without a message of its own this error prints its source, so the chain goes on behind it.
        if self.0.message.is_none() {
            panic::source(source)
        } else {
            Some(source)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Paying(Error);

    impl fmt::Display for Paying {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("while paying")
        }
    }

    impl StdError for Paying {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_failed_service_is_found_in_what_wraps_it() {
        let wrapped = |error: Error| Error::from_any(Paying(error));
        let dispatcher = || Error::dispatcher("the queue is away", "refused");
        let store = Error::new(ErrorKind::Store, "the disk is full");
        assert_eq!(store.failed_service(), Some(ErrorKind::Store));
        assert_eq!(dispatcher().failed_service(), Some(ErrorKind::Dispatcher));
        assert_eq!(
            wrapped(wrapped(dispatcher())).failed_service(),
            Some(ErrorKind::Dispatcher)
        );
        assert_eq!(wrapped(Error::from_any("no money")).failed_service(), None);
    }
}
