//! What ends a run because its code and its journal cannot both be right.

use std::{fmt, sync::Arc};

use crate::{
    error::{Error, ErrorKind},
    plain::plain,
    store::StepKind,
};

/// A place in the user's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A hard error: no retry of the same code can help, nothing is overwritten, and the run can be rerun after a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    DuplicateKey {
        path: Arc<str>,
        first: &'static Location,
        second: &'static Location,
    },
    Nested {
        path: Arc<str>,
        outer: Arc<str>,
        at: &'static Location,
    },
    TooManySteps {
        path: Arc<str>,
        most: u32,
        /// The keys before it, last first.
        before: Vec<Arc<str>>,
        at: &'static Location,
    },
    OtherKind {
        path: Arc<str>,
        stored: StepKind,
        expected: StepKind,
        at: &'static Location,
    },
    WinnerGone {
        path: Arc<str>,
        winner: String,
        arms: &'static [&'static str],
        at: &'static Location,
    },
    NoWinner {
        path: Arc<str>,
        reason: String,
        at: &'static Location,
    },
    OtherType {
        path: Arc<str>,
        stored: Arc<str>,
        expected: &'static str,
        reason: String,
        at: &'static Location,
    },
    /// The code calls another function than the one that was called.
    OtherFunction {
        path: Arc<str>,
        called: Arc<str>,
        calls: &'static str,
        at: &'static Location,
    },
    /// What a run that was called or started has returned cannot be read.
    OtherOutput {
        path: Arc<str>,
        function: Arc<str>,
        expected: &'static str,
        reason: String,
        at: &'static Location,
    },
}

impl Violation {
    pub(crate) fn into_error(self) -> Error {
        let text = self.to_string();
        match self {
            Self::DuplicateKey { path, .. } => {
                Error::new(ErrorKind::DuplicateKey, text).with_step(&path)
            }
            Self::Nested { path, .. } => Error::new(ErrorKind::NestedStep, text).with_step(&path),
            Self::TooManySteps { path, .. } => {
                Error::new(ErrorKind::TooManySteps, text).with_step(&path)
            }
            Self::OtherKind { path, .. }
            | Self::WinnerGone { path, .. }
            | Self::NoWinner { path, .. }
            | Self::OtherFunction { path, .. }
            | Self::OtherOutput { path, .. }
            | Self::OtherType { path, .. } => {
                Error::new(ErrorKind::Mismatch, text).with_step(&path)
            }
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateKey {
                path,
                first,
                second,
            } if first == second => write!(
                f,
                "the key `{path}` was reached twice in one attempt, both times at {first}: put what tells the \
                 two apart into the key, as in step!(\"{path}-{{id}}\", …)"
            ),
            Self::DuplicateKey {
                path,
                first,
                second,
            } => write!(
                f,
                "the key `{path}` was reached twice in one attempt, first at {first}, then at {second}: \
                 give each step a key of its own"
            ),
            Self::Nested { path, outer, at } => write!(
                f,
                "the step `{path}` at {at} runs inside the step `{outer}`: a step's expression cannot hold steps; \
                 move it out, or make the outer one a scope!"
            ),
            Self::TooManySteps {
                path,
                most,
                before,
                at,
            } => write!(
                f,
                "the step `{path}` at {at} is one more than the {most} that a run may have; before it came {}: end the loop, \
                 publish an event for the rest, or raise `max_steps`",
                list(before)
            ),
            Self::OtherKind {
                path,
                stored,
                expected,
                at,
            } => write!(
                f,
                "the journal has `{path}` as a {stored}, and the code at {at} asks for a {expected}: \
                 give the new {expected} another key",
                stored = word(*stored),
                expected = word(*expected),
            ),
            Self::WinnerGone {
                path,
                winner,
                arms,
                at,
            } => write!(
                f,
                "the race `{path}` was won by its arm `{winner}`, which is gone from the code at {at} (its arms are {}): bring \
                 the arm back, with the steps that it had, or give the new race another key; then rerun the run",
                list(arms),
                winner = plain(winner),
            ),
            Self::NoWinner { path, reason, at } => write!(
                f,
                "the journal has the race `{path}` at {at} as over, but the name of the arm that won cannot be read ({reason}): rerun the \
                 run from `{path}`, or give the race another key"
            ),
            Self::OtherFunction {
                path,
                called,
                calls,
                at,
            } => write!(
                f,
                "the run called `{called}` under `{path}`, but the code at {at} now calls `{calls}`: give the new call another key, then \
                 rerun the run",
                called = plain(called)
            ),
            Self::OtherOutput {
                path,
                function,
                expected,
                reason,
                at,
            } => write!(
                f,
                "what `{function}` returned to `{path}` cannot be read as `{expected}` at {at} ({reason}): let the type read it, then \
                 rerun the run; under another key the function would be called again"
            ),
            Self::OtherType {
                path,
                stored,
                expected,
                reason,
                at,
            } => write!(
                f,
                "the journal has `{path}` as `{stored}`, which cannot be read as `{expected}` at {at} ({reason}): \
                 let the type read the old form too, or give the step another key; then rerun the run"
            ),
        }
    }
}

fn list<T: fmt::Display>(paths: &[T]) -> String {
    let quoted: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    quoted.join(", ")
}

fn word(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Step => "step",
        StepKind::Sleep => "sleep",
        StepKind::Wait => "wait",
        StepKind::Race => "race",
        StepKind::Callback => "callback",
        StepKind::Status => "status",
        StepKind::Call => "`call!`",
        StepKind::Start => "`start!`",
        StepKind::Undo => "undo step",
    }
}
