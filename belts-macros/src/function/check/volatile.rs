//! What is known of a place in a body, to tell what differs from run to run.

use syn::{Attribute, Ident, Meta, Path, Stmt, Token, punctuated::Punctuated};

use super::{
    advice::Place,
    held::{Found, Names},
    uses::Uses,
};

/// Macros that await their futures.
const AWAIT: [&str; 2] = ["join", "try_join"];
/// Macros that make a stream of a body.
const STREAM: [&str; 2] = ["stream", "try_stream"];
/// Macros that do not evaluate what they are given, or not in the function.
const QUOTE: [&str; 9] = [
    "compile_error",
    "concat",
    "lazy_static",
    "parse_quote",
    "quote",
    "quote_spanned",
    "stringify",
    "task_local",
    "thread_local",
];

/// What is known of a place in a body.
#[derive(Default)]
pub(super) struct Volatile {
    pub(super) uses: Uses,
    pub(super) names: Names,
    /// Whether this is in `volatile!`, in an argument that is evaluated once in a run, or in no build but that of tests.
    pub(super) meant: bool,
    /// Whether a future that stands here is awaited here.
    pub(super) awaited: bool,
    /// Whether the closure that comes next is called where it stands.
    pub(super) called: bool,
    /// Whether this is in a closure, which cannot await.
    pub(super) place: Place,
    /// How many closures and `async` blocks are around this, of which nobody knows where they run.
    pub(super) depth: usize,
    /// What was found in those.
    pub(super) put_off: Vec<Found>,
}

/// Whether a macro has tokens that are not evaluated.
pub(super) fn is_quote(path: &Path) -> bool {
    is_one_of(path, &QUOTE)
}

/// Whether a macro pins its future where it stands.
pub(super) fn is_pin(path: &Path) -> bool {
    is_one_of(path, &["pin", "pin_mut"])
}

/// Whether a macro makes a stream of a body.
pub(super) fn is_stream(path: &Path) -> bool {
    is_one_of(path, &STREAM)
}

fn is_one_of(path: &Path, names: &[&str]) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| names.iter().any(|name| last.ident == name))
}

/// Whether what is under a `#[cfg]` is in no build but that of tests.
pub(super) fn is_of_tests(cfg: &Attribute) -> bool {
    cfg.parse_args()
        .is_ok_and(|meta| holds_in_tests_alone(&meta))
}

fn holds_in_tests_alone(meta: &Meta) -> bool {
    let Meta::List(list) = meta else {
        return meta.path().is_ident("test");
    };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    let mut parts = parts.iter();
    if list.path.is_ident("all") {
        parts.any(holds_in_tests_alone)
    } else {
        // `any()` holds in no build at all.
        list.path.is_ident("any") && parts.all(holds_in_tests_alone)
    }
}

impl Volatile {
    pub(super) fn enter(&mut self, statements: &[Stmt]) {
        self.uses.enter(statements);
        self.names.enter();
    }

    pub(super) fn leave(&mut self) {
        self.uses.leave();
        self.names.leave();
    }

    /// Takes note that a name is bound anew.
    pub(super) fn forget(&mut self, name: &Ident) {
        self.names.forget(name);
        self.uses.variable(name.to_string());
    }

    /// Whether futures that are given to a macro are awaited where it stands.
    pub(super) fn awaits(&self, path: &Path) -> bool {
        self.awaited || is_one_of(path, &AWAIT)
    }

    /// What was put off since there were so many, and is in closures or blocks of its own: what is in no more than this place is
    /// still put off.
    pub(super) fn put_off_since(&mut self, mark: usize) -> Vec<Found> {
        let (later, here) = self
            .put_off
            .drain(mark..)
            .partition(|found| found.depth > self.depth);
        self.put_off.extend::<Vec<_>>(here);
        later
    }
}
