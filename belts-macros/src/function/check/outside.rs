//! What differs from run to run, outside of a step: the run would not do again what it did.
//!
//! A closure or an `async` block is code that runs where it is called or awaited, perhaps in a step. What is in one is reported only
//! where it certainly runs in the function itself.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Expr, ExprCall, Ident, Path};

use super::{
    sources::{self, Kind},
    volatile::Found,
    walk::Walk,
};
use crate::{names::spelled, option::ungrouped};

/// Methods that call a closure, or an fn, while they or what they are part of are evaluated.
const CALLS: [&str; 36] = [
    "all",
    "and_then",
    "any",
    "filter",
    "filter_map",
    "find",
    "find_map",
    "flat_map",
    "fold",
    "for_each",
    "get_or_insert_with",
    "inspect",
    "is_none_or",
    "is_some_and",
    "map",
    "map_err",
    "map_or",
    "map_or_else",
    "map_while",
    "max_by_key",
    "min_by_key",
    "ok_or_else",
    "or_else",
    "or_insert_with",
    "partition",
    "position",
    "resize_with",
    "retain",
    "scan",
    "skip_while",
    "sort_by_key",
    "take_while",
    "then",
    "try_fold",
    "try_for_each",
    "unwrap_or_else",
];
impl Walk<'_> {
    /// Visits what may differ as it is meant to, or what is evaluated once in a run.
    pub(super) fn meant(&mut self, meant: bool, visit: impl FnOnce(&mut Self)) {
        let outside = self.volatile.meant;
        self.volatile.meant |= meant;
        visit(self);
        self.volatile.meant = outside;
    }

    /// Visits futures that are awaited here, or are not.
    pub(super) fn awaiting(&mut self, awaited: bool, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.volatile.awaited, awaited);
        visit(self);
        self.volatile.awaited = outside;
    }

    /// Visits the body of an `async` block.
    pub(super) fn volatile_async(&mut self, visit: impl FnOnce(&mut Self)) {
        let later = !self.volatile.awaited;
        self.later(later, |walk| walk.awaiting(false, visit));
    }

    /// Visits a closure.
    pub(super) fn volatile_closure(&mut self, visit: impl FnOnce(&mut Self)) {
        let called = std::mem::take(&mut self.volatile.called);
        // A future that such a closure returns is awaited if the whole is.
        let awaited = called && self.volatile.awaited;
        self.later(!called, |walk| walk.awaiting(awaited, visit));
    }

    fn later(&mut self, later: bool, visit: impl FnOnce(&mut Self)) {
        self.volatile.depth += usize::from(later);
        visit(self);
        self.volatile.depth -= usize::from(later);
    }

    /// Takes note of an argument of a method, and whether that calls it.
    pub(super) fn volatile_argument(&mut self, method: &Ident, argument: &Expr) {
        if !CALLS.iter().any(|calls| method == calls) {
            return;
        }
        match ungrouped(argument) {
            Expr::Closure(_) => self.volatile.called = true,
            Expr::Path(path) => self.called(&path.path, None),
            _ => {}
        }
    }

    /// Takes note of a call.
    pub(super) fn volatile_call(&mut self, call: &ExprCall) {
        let mut callee = ungrouped(&call.func);
        while let Expr::Paren(inside) = callee {
            callee = ungrouped(&inside.expr);
        }
        match callee {
            Expr::Closure(_) => self.volatile.called = true,
            Expr::Path(path) if path.qself.is_none() => {
                self.called(&path.path, Some(&call.args.to_token_stream()));
            }
            _ => {}
        }
    }

    /// Takes note of the closures among the arguments of what starts a task: if that is awaited, they run here.
    pub(super) fn volatile_task(&mut self, first: Option<&Expr>) {
        let is_closure = first.is_some_and(|first| matches!(ungrouped(first), Expr::Closure(_)));
        self.volatile.called |= is_closure && self.volatile.awaited;
    }

    /// Takes note of a name that is awaited.
    pub(super) fn volatile_name(&mut self, path: &Path) {
        if self.volatile.awaited {
            let found = self.volatile.held(path, false);
            self.found(found);
        }
    }

    /// Calls in tokens that are not expressions, as in `info!(at = ?SystemTime::now())`: `at` is where the arguments are.
    pub(super) fn volatile_tokens(&mut self, tokens: &[TokenTree], at: usize) {
        let TokenTree::Group(arguments) = &tokens[at] else {
            return;
        };
        let is_parenthesis = arguments.delimiter() == Delimiter::Parenthesis;
        let start = path_before(&tokens[..at]);
        let after_dot = start.checked_sub(1).is_some_and(
            |before| matches!(&tokens[before], TokenTree::Punct(dot) if dot.as_char() == '.'),
        );
        if !is_parenthesis || start == at || after_dot {
            return;
        }
        let path: TokenStream = tokens[start..at].iter().cloned().collect();
        if let Ok(path) = syn::parse2::<Path>(path) {
            self.called(&path, Some(&arguments.stream()));
        }
    }

    fn called(&mut self, path: &Path, arguments: Option<&TokenStream>) {
        let found = self.volatile.held(path, true);
        self.found(found);
        let resolved = self.volatile.uses.resolve(path);
        let kind = resolved.and_then(|names| sources::of(&names, path.leading_colon.is_some()));
        if let Some(kind) = kind {
            let message = self.message(kind, path, arguments);
            let (at, depth) = (path.to_token_stream(), self.volatile.depth);
            self.found(vec![Found { at, message, depth }]);
        }
    }

    fn message(&self, kind: Kind, path: &Path, arguments: Option<&TokenStream>) -> String {
        let path = spelled(&path.to_token_stream());
        let call = sources::written(&path, &arguments.cloned().unwrap_or_default());
        kind.message(path.trim_start_matches("::"), &call, &self.ours.krate())
    }

    fn found(&mut self, found: Vec<Found>) {
        if self.step.is_some() || self.volatile.meant {
            return;
        }
        let depth = self.volatile.depth;
        for found in found {
            if depth == 0 {
                self.errors.at(&found.at, &found.message);
            } else {
                self.volatile.put_off.push(Found { depth, ..found });
            }
        }
    }
}

/// Where the path begins that these tokens end with.
fn path_before(tokens: &[TokenTree]) -> usize {
    let is_colon =
        |at: usize| matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == ':');
    let is_word = |at: usize| matches!(&tokens[at], TokenTree::Ident(_));
    let mut start = tokens.len();
    while start >= 1 && is_word(start - 1) {
        start -= 1;
        if start < 2 || !is_colon(start - 1) || !is_colon(start - 2) {
            break;
        }
        start -= 2;
    }
    start
}
