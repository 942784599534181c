//! Steps in tasks: a run neither waits for a task nor resumes one, and the scope of its steps does not outlive it.

use proc_macro2::Ident;

use crate::step::Macro;

/// Functions and methods that make a task or a thread of what they are given.
const SPAWN: [&str; 4] = ["spawn", "spawn_blocking", "spawn_local", "spawn_on"];

/// A place in what a task is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// In the argument: what is awaited there is done before there is a task.
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

pub(super) fn message(which: Macro) -> String {
    let name = which.name();
    format!(
        "`{name}` stands in a task of its own, which may outlive its run; await steps side by side in the function itself, \
         `tokio::join!(step!(…), step!(…))`, and spawn within a step's expression if you have to"
    )
}
