//! The options of a function.

use std::time::Duration;

use crate::run::Backoff;

/// The options of a function, resolved.
#[derive(Debug, Clone, Default)]
pub struct FunctionOptions {
    /// Retries of the function as a whole; 3 where `None`.
    pub retries: Option<u32>,
    /// Wait between them; 1 s to 60 s where `None`.
    pub backoff: Option<Backoff>,
    /// The longest that one attempt may be driven without a pause.
    pub timeout: Option<Duration>,
    /// The longest that a run may wait until it is claimed for the first time.
    pub start_within: Option<Duration>,
    /// The longest that a run may take until it ends.
    pub finish_within: Option<Duration>,
    /// The most runs of it at once in one process.
    pub concurrency: Option<usize>,
    /// The most steps of one run; what the worker says where `None`.
    pub max_steps: Option<u32>,
    /// Whether steps go on in place, or each in a delivery of its own.
    pub continuation: Continuation,
    /// What becomes of a step that runs when its run is cancelled.
    pub on_cancel: OnCancel,
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

/// What becomes of a step that runs when its run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnCancel {
    /// It is dropped at its next await.
    #[default]
    Drop,
    /// It may end, within the grace period of its worker.
    Finish,
}
