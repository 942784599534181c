//! Steps in tasks and on other threads: a run neither waits for a task nor resumes one, and the scope of its steps may be gone before
//! the task ends.

use proc_macro2::Ident;
use syn::{Expr, ExprCall, ExprMethodCall};

use crate::option::ungrouped;

/// Functions and methods that start a task or a thread from their argument.
const SPAWN: [&str; 6] = [
    "spawn",
    "spawn_blocking",
    "spawn_broadcast",
    "spawn_fifo",
    "spawn_local",
    "spawn_on",
];
/// Functions of rayon that call their arguments on its threads.
const RAYON: [&str; 6] = [
    "broadcast",
    "in_place_scope",
    "join",
    "scope",
    "scope_fifo",
    "spawn",
];
/// Methods that make an iterator whose closures are called on several threads.
const PARALLEL: [&str; 8] = [
    "into_par_iter",
    "par_bridge",
    "par_chars",
    "par_chunks",
    "par_iter",
    "par_iter_mut",
    "par_lines",
    "par_split",
];
/// Methods that make another of it.
const PASS_ON: [&str; 14] = [
    "chain",
    "chunks",
    "cloned",
    "copied",
    "enumerate",
    "filter",
    "filter_map",
    "flat_map",
    "inspect",
    "map",
    "rev",
    "with_max_len",
    "with_min_len",
    "zip",
];

/// A place inside what a task is started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    how: How,
    /// In a block or closure, which the task runs. What is awaited in an argument finishes before the task starts.
    is_inside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// A task or thread of its own.
    Alone,
    /// Threads that the caller waits for, in closures that cannot await.
    Threads,
}

impl Task {
    fn of(how: How) -> Self {
        Self {
            how,
            is_inside: false,
        }
    }

    pub(super) fn inside(self) -> Self {
        Self {
            is_inside: true,
            ..self
        }
    }

    pub(super) fn awaited(self) -> Option<Self> {
        self.is_inside.then_some(self)
    }

    /// As in `tokio::spawn(…)`, `rayon::join(…)` and `thread::scope(…)`.
    pub(super) fn of_call(call: &ExprCall) -> Option<Self> {
        let Expr::Path(path) = ungrouped(&call.func) else {
            return None;
        };
        let mut segments = path.path.segments.iter().rev().map(|part| &part.ident);
        let name = segments.next()?;
        let owner = segments.next();
        let is_in = |root: &str| owner.is_some_and(|owner| owner == root);
        if is_in("rayon") && is_one_of(name, &RAYON) || is_in("thread") && name == "scope" {
            return Some(Self::of(How::Threads));
        }
        is_one_of(name, &SPAWN).then(|| Self::of(How::Alone))
    }

    /// As in `tasks.spawn(…)` and `orders.par_iter().map(…)`.
    pub(super) fn of_method(call: &ExprMethodCall) -> Option<Self> {
        if is_one_of(&call.method, &SPAWN) {
            return Some(Self::of(How::Alone));
        }
        is_parallel(&call.receiver).then(|| Self::of(How::Threads))
    }

    /// What to say of a macro that is in it.
    pub(super) fn message(self, name: &str) -> String {
        match self.how {
            How::Alone => format!(
                "`{name}` is in a task of its own, which may outlive the run; await steps concurrently in the function itself, \
                 `tokio::join!(step!(…), step!(…))`, and spawn inside a step's expression if you have to"
            ),
            How::Threads => format!(
                "`{name}` is in a closure that runs on other threads, where no run awaits it; await steps concurrently in the function \
                 itself, `tokio::join!(step!(…), step!(…))`, and use threads inside a step's expression: \
                 `step!(\"work\", work_on_threads(&order))`"
            ),
        }
    }
}

/// Whether an iterator calls its closures on several threads.
fn is_parallel(expr: &Expr) -> bool {
    match ungrouped(expr) {
        Expr::Paren(inside) => is_parallel(&inside.expr),
        Expr::MethodCall(call) => {
            is_one_of(&call.method, &PARALLEL)
                || is_one_of(&call.method, &PASS_ON) && is_parallel(&call.receiver)
        }
        _ => false,
    }
}

fn is_one_of(name: &Ident, names: &[&str]) -> bool {
    names.iter().any(|known| name == known)
}
