//! What runs the code that it is given: what calls a closure, and what awaits a future.

use syn::{Expr, ExprCall, ExprMethodCall, Ident};

use super::task::Task;
use crate::option::ungrouped;

/// Methods that call a closure, or an fn, while they or what they are part of are evaluated.
const CALLS: [&str; 65] = [
    "all",
    "and_modify",
    "and_then",
    "any",
    "binary_search_by",
    "binary_search_by_key",
    "dedup_by",
    "dedup_by_key",
    "fill_with",
    "filter",
    "filter_map",
    "find",
    "find_map",
    "flat_map",
    "fold",
    "for_each",
    "for_each_concurrent",
    "get_or_insert_with",
    "inspect",
    "inspect_err",
    "inspect_ok",
    "is_err_and",
    "is_none_or",
    "is_ok_and",
    "is_some_and",
    "map",
    "map_err",
    "map_ok",
    "map_or",
    "map_or_default",
    "map_or_else",
    "map_while",
    "max_by",
    "max_by_key",
    "min_by",
    "min_by_key",
    "ok_or_else",
    "or_else",
    "or_insert_with",
    "or_insert_with_key",
    "partition",
    "partition_point",
    "position",
    "reduce",
    "resize_with",
    "retain",
    "retain_mut",
    "rposition",
    "scan",
    "skip_while",
    "sort_by",
    "sort_by_cached_key",
    "sort_by_key",
    "sort_unstable_by",
    "sort_unstable_by_key",
    "take_if",
    "take_while",
    "then",
    "then_with",
    "try_filter",
    "try_filter_map",
    "try_fold",
    "try_for_each",
    "try_for_each_concurrent",
    "unwrap_or_else",
];
/// Methods that on an iterator or a stream make another one, which calls its closures where it is used.
const LAZY: [&str; 33] = [
    "boxed",
    "buffer_unordered",
    "buffered",
    "chain",
    "chunks",
    "cloned",
    "copied",
    "cycle",
    "enumerate",
    "filter",
    "filter_map",
    "flat_map",
    "flatten",
    "fuse",
    "inspect",
    "inspect_err",
    "inspect_ok",
    "into_iter",
    "map",
    "map_err",
    "map_ok",
    "map_while",
    "peekable",
    "rev",
    "scan",
    "skip",
    "skip_while",
    "step_by",
    "take",
    "take_while",
    "then",
    "try_filter",
    "zip",
];
/// Functions that call a closure, or an fn.
const FUNCTIONS: [&str; 2] = ["from_fn", "repeat_with"];
/// Modules of the standard library that have those.
const MODULES: [&str; 2] = ["array", "iter"];
/// Functions whose futures, or lists of futures, await those that they are given.
const AWAIT: [&str; 23] = [
    "AssertUnwindSafe",
    "Some",
    "abortable",
    "from_iter",
    "iter",
    "join",
    "join3",
    "join4",
    "join5",
    "join_all",
    "maybe_done",
    "race",
    "select",
    "select_all",
    "select_ok",
    "timeout",
    "timeout_at",
    "try_join",
    "try_join3",
    "try_join4",
    "try_join5",
    "try_join_all",
    "unconstrained",
];
/// Methods that do.
const AWAIT_METHODS: [&str; 12] = [
    "chain",
    "join",
    "merge",
    "or",
    "race",
    "run_until",
    "run_until_cancelled",
    "run_until_cancelled_owned",
    "scope",
    "select",
    "try_join",
    "zip",
];

/// Whether a method calls what it is given.
pub(super) fn calls(method: &Ident) -> bool {
    is_one_of(method, &CALLS)
}

/// Whether a call makes an iterator, if it is one of an iterator, or of anything that may be one.
pub(super) fn is_lazy(call: &ExprMethodCall) -> bool {
    let method = &call.method;
    let is_known = is_one_of(method, &LAZY);
    if method == "take" {
        // `Option::take` has no argument.
        return !call.args.is_empty();
    }
    if method == "then" {
        // The closure of `bool::then` has no parameters.
        let closure = call.args.first().map(ungrouped);
        return matches!(closure, Some(Expr::Closure(closure)) if !closure.inputs.is_empty());
    }
    is_known
}

/// As in `iter::repeat_with(…)`: whether a function calls what it is given.
pub(super) fn function_calls(call: &ExprCall) -> bool {
    let Expr::Path(path) = ungrouped(&call.func) else {
        return false;
    };
    let mut segments = path.path.segments.iter().rev().map(|part| &part.ident);
    let is_known = segments
        .next()
        .is_some_and(|name| is_one_of(name, &FUNCTIONS));
    let is_theirs = |module| is_one_of(module, &MODULES);
    is_known && segments.next().is_none_or(is_theirs)
}

/// Whether a function that calls what it is given does so where its value is used.
pub(super) fn is_lazy_function(call: &ExprCall) -> bool {
    let of_arrays = |path: &syn::Path| path.segments.iter().any(|part| part.ident == "array");
    let is_eager = matches!(ungrouped(&call.func), Expr::Path(path) if of_arrays(&path.path));
    function_calls(call) && !is_eager
}

/// `pin`, `Box::pin`, `Box::new` and `Pin::new`: whether the value of a call is what it is given.
pub(super) fn pins(call: &ExprCall) -> bool {
    let Expr::Path(path) = ungrouped(&call.func) else {
        return false;
    };
    let mut segments = path.path.segments.iter().rev().map(|part| &part.ident);
    let name = segments.next();
    let is_theirs = segments
        .next()
        .is_some_and(|owner| owner == "Box" || owner == "Pin");
    name.is_some_and(|name| name == "pin" || name == "new" && is_theirs)
}

/// Whether a future that a function is given is awaited if its value is.
pub(super) fn awaits(call: &ExprCall) -> bool {
    let Expr::Path(path) = ungrouped(&call.func) else {
        return false;
    };
    let last = path.path.segments.last();
    let is_known = last.is_some_and(|last| is_one_of(&last.ident, &AWAIT));
    is_known || pins(call) || Task::of_call(call).is_some()
}

/// Whether a future that a method is given, or that a closure returns which it is given, is awaited if its value is.
pub(super) fn method_awaits(call: &ExprMethodCall) -> bool {
    let method = &call.method;
    calls(method) || is_one_of(method, &AWAIT_METHODS) || Task::of_method(call).is_some()
}

fn is_one_of(name: &Ident, names: &[&str]) -> bool {
    names.iter().any(|known| name == known)
}
