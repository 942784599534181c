//! Steps in tasks: a run neither waits for a task nor resumes one, and the scope of its steps may be gone before the task ends.

use proc_macro2::Ident;

/// Functions and methods that start a task or a thread from their argument.
const SPAWN: [&str; 4] = ["spawn", "spawn_blocking", "spawn_local", "spawn_on"];

/// A place inside what a task is started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// In the argument: what is awaited there finishes before the task starts.
    Argument,
    /// In a block or closure, which the task runs.
    Inside,
}

impl Task {
    pub(super) fn awaited(self) -> Option<Self> {
        (self == Self::Inside).then_some(self)
    }
}

pub(super) fn made_by(name: &Ident) -> Option<Task> {
    SPAWN
        .iter()
        .any(|spawn| name == spawn)
        .then_some(Task::Argument)
}

pub(super) fn message(name: &str) -> String {
    format!(
        "`{name}` is in a task of its own, which may outlive the run; await steps concurrently in the function itself, \
         `tokio::join!(step!(…), step!(…))`, and spawn inside a step's expression if you have to"
    )
}
