//! What differs from run to run, outside of a step: the run would not do again what it did.
//!
//! A closure or an `async` block is code that runs where it is called or awaited, perhaps in a step. What is in one is reported only
//! where it certainly runs in the function itself.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Expr, ExprCall, ExprMacro, Ident, Local, Pat, Path, Stmt};

use super::{
    sources::{self, Kind},
    uses::Uses,
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
/// Macros that await their futures.
const AWAIT: [&str; 4] = ["join", "select", "select_biased", "try_join"];
/// Macros that do not evaluate what they are given.
const QUOTE: [&str; 6] = [
    "compile_error",
    "concat",
    "parse_quote",
    "quote",
    "quote_spanned",
    "stringify",
];

/// What is known of a place in a body.
#[derive(Default)]
pub(super) struct Volatile {
    uses: Uses,
    /// Whether this is in `volatile!`, or in an argument that is evaluated once in a run.
    meant: bool,
    /// Whether a future that stands here is awaited here.
    awaited: bool,
    /// Whether the closure that comes next is called where it stands.
    called: bool,
    /// How many closures and `async` blocks are around this, of which nobody knows where they run.
    depth: usize,
    /// What was found in those.
    put_off: Vec<Found>,
    /// What names of closures and `async` blocks hold.
    named: Vec<Named>,
    blocks: usize,
}

#[derive(Debug, Clone)]
struct Found {
    at: TokenStream,
    message: String,
    depth: usize,
}

struct Named {
    name: String,
    is_closure: bool,
    found: Vec<Found>,
    block: usize,
}

/// Whether a macro has tokens that are not evaluated.
pub(super) fn is_quote(path: &Path) -> bool {
    is_one_of(path, &QUOTE)
}

fn is_one_of(path: &Path, names: &[&str]) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| names.iter().any(|name| last.ident == name))
}

impl Volatile {
    pub(super) fn enter(&mut self, statements: &[Stmt]) {
        self.uses.enter(statements);
        self.blocks += 1;
    }

    pub(super) fn leave(&mut self) {
        self.uses.leave();
        self.blocks -= 1;
        self.named.retain(|named| named.block <= self.blocks);
    }

    /// Takes note that a name is bound anew.
    pub(super) fn forget(&mut self, name: &Ident) {
        self.named.retain(|named| *name != named.name);
        self.uses.variable(name.to_string());
    }

    /// Whether futures that are given to a macro are awaited where it stands.
    pub(super) fn awaits(&self, path: &Path) -> bool {
        self.awaited || is_one_of(path, &AWAIT)
    }

    /// To be given to [`bind`](Self::bind) once the value was visited.
    pub(super) fn mark(&self) -> usize {
        self.put_off.len()
    }

    /// What a `let` puts off until its name is called, or awaited.
    pub(super) fn bind(&mut self, local: &Local, mark: usize) {
        let Some(is_closure) = local.init.as_ref().and_then(|init| runs_later(&init.expr)) else {
            return;
        };
        let inside = self.depth + 1;
        let found = self.put_off.split_off(mark);
        let found: Vec<_> = found
            .into_iter()
            .filter(|found| found.depth == inside)
            .collect();
        let pattern = match &local.pat {
            Pat::Type(typed) => &*typed.pat,
            other => other,
        };
        if let Pat::Ident(name) = pattern {
            self.named.push(Named {
                name: name.ident.to_string(),
                is_closure,
                found,
                block: self.blocks,
            });
        }
    }

    /// What runs if a name is called, or awaited.
    fn held(&self, path: &Path, is_closure: bool) -> Vec<Found> {
        let named = path.get_ident().and_then(|name| {
            let mut named = self.named.iter().rev();
            named.find(|named| *name == named.name && named.is_closure == is_closure)
        });
        named.map(|named| named.found.clone()).unwrap_or_default()
    }
}

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
        let is_parenthesis = arguments.delimiter() == proc_macro2::Delimiter::Parenthesis;
        let start = path_before(&tokens[..at]);
        let after_dot = start.checked_sub(1).is_some_and(|before| {
            matches!(&tokens[before], TokenTree::Punct(dot) if dot.as_char() == '.')
        });
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

/// Whether an expression is code that runs later, and if so whether that is when it is called or when it is awaited.
fn runs_later(expr: &Expr) -> Option<bool> {
    match ungrouped(expr) {
        Expr::Paren(inside) => runs_later(&inside.expr),
        Expr::Closure(_) => Some(true),
        Expr::Async(_) => Some(false),
        Expr::Call(call) if call.args.len() == 1 => match ungrouped(&call.func) {
            Expr::Path(path) if is_one_of(&path.path, &["pin"]) => {
                runs_later(&call.args[0]).filter(|is_closure| !is_closure)
            }
            _ => None,
        },
        Expr::Macro(ExprMacro { mac, .. }) if is_one_of(&mac.path, &["pin"]) => {
            runs_later(&syn::parse2(mac.tokens.clone()).ok()?).filter(|is_closure| !is_closure)
        }
        _ => None,
    }
}

/// Where the path begins that these tokens end with.
fn path_before(tokens: &[TokenTree]) -> usize {
    let is_colon = |at: usize| matches!(&tokens[at], TokenTree::Punct(punct) if punct.as_char() == ':');
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
