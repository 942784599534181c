//! Names that hold futures of our macros, so that what goes on with the first of them is seen further down.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Expr, ExprCall, ExprMethodCall, Local, Pat, Token, parse::Parser as _, punctuated::Punctuated,
};

use super::ours::Ours;
use crate::{option::ungrouped, step::Macro};

/// Functions whose futures hold those that they are given.
const WRAP: [&str; 8] = [
    "Some",
    "fuse",
    "join",
    "join_all",
    "new",
    "pin",
    "try_join",
    "try_join_all",
];
/// Macros that wrap a future, or make a list of several.
const WRAP_MACROS: [&str; 2] = ["pin", "vec"];
/// Methods that hold what they are called on.
const PASS_ON: [&str; 10] = [
    "as_mut",
    "boxed",
    "boxed_local",
    "collect",
    "fuse",
    "instrument",
    "into_iter",
    "map",
    "map_err",
    "map_ok",
];
/// Methods that put futures into a collection.
const PUSH: [&str; 4] = ["extend", "insert", "push", "push_back"];
/// Polls its futures side by side and goes on with whichever is first.
pub(super) const UNORDERED: &str = "FuturesUnordered";

/// What names of a body hold.
#[derive(Default)]
pub(super) struct Bound {
    names: Vec<Binding>,
    /// How many blocks are around this.
    depth: usize,
}

struct Binding {
    name: String,
    /// `None` if nothing of interest: it may hide a name of a block around it.
    holds: Option<Holds>,
    depth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A future of this macro, or several futures with one of it among them.
    Future(Macro),
    /// A `FuturesUnordered`.
    Unordered,
    /// A callback, or the handle of a run, whose result is to be asked for.
    Callback,
}

/// A name that stands for a future of one of our macros.
pub(super) struct Held {
    pub(super) name: Ident,
    pub(super) which: Macro,
}

impl Bound {
    pub(super) fn enter(&mut self) {
        self.depth += 1;
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
        self.names.retain(|binding| binding.depth <= self.depth);
    }

    /// What a `let` makes its name hold, to be given to [`bind`](Self::bind) once its value was visited.
    pub(super) fn look(&self, local: &Local, ours: &Ours<'_>) -> Option<Holds> {
        if is_typed_unordered(local) {
            return Some(Holds::Unordered);
        }
        let init = ungrouped(&local.init.as_ref()?.expr);
        let unordered = match init {
            Expr::Call(call) => says_unordered(&call.func),
            Expr::MethodCall(call) => says_unordered(&call.turbofish),
            _ => false,
        };
        if unordered {
            return Some(Holds::Unordered);
        }
        if is_answer(init, ours) {
            return Some(Holds::Callback);
        }
        self.holds(init, ours).map(Holds::Future)
    }

    /// Whether a call asks for the result of a callback or a started run of this body.
    pub(super) fn asks(&self, call: &ExprMethodCall) -> bool {
        let arguments = match call.method.to_string().as_str() {
            "result" => 0,
            "result_within" => 1,
            _ => return false,
        };
        let of = name_of(&call.receiver).and_then(|name| self.of(name));
        of == Some(Holds::Callback) && call.args.len() == arguments
    }

    pub(super) fn bind(&mut self, pattern: &Pat, holds: Option<Holds>) {
        let pattern = match pattern {
            Pat::Type(typed) => &*typed.pat,
            other => other,
        };
        if let (Pat::Ident(name), Some(holds)) = (pattern, holds) {
            self.names.push(Binding {
                name: name.ident.to_string(),
                holds: Some(holds),
                depth: self.depth,
            });
        }
    }

    /// Takes note that a name is bound anew, as far as this block goes.
    pub(super) fn forget(&mut self, name: &Ident) {
        self.names.push(Binding {
            name: name.to_string(),
            holds: None,
            depth: self.depth,
        });
    }

    /// Takes note of a future that is put into a collection; whether that is a `FuturesUnordered`.
    pub(super) fn push(&mut self, call: &ExprMethodCall, ours: &Ours<'_>) -> bool {
        let to = name_of(&call.receiver).filter(|_| PUSH.iter().any(|push| call.method == push));
        let Some(to) = to else {
            return false;
        };
        if self.of(to) == Some(Holds::Unordered) {
            return true;
        }
        let pushed = call.args.iter().find_map(|pushed| self.holds(pushed, ours));
        if let Some(which) = pushed {
            // The collection may be one of any block around this.
            self.names.push(Binding {
                name: to.to_string(),
                holds: Some(Holds::Future(which)),
                depth: 0,
            });
        }
        false
    }

    /// The names of futures of our macros that are in an expression.
    pub(super) fn held(&self, expr: &Expr) -> Vec<Held> {
        let mut held = Vec::new();
        each(expr, &mut |inside| {
            if let Some(name) = name_of(inside)
                && let Some(Holds::Future(which)) = self.of(name)
            {
                let name = name.clone();
                held.push(Held { name, which });
            }
        });
        held
    }

    /// The macro of ours whose future this is or holds, by a name or where it stands.
    fn holds(&self, expr: &Expr, ours: &Ours<'_>) -> Option<Macro> {
        let mut found = None;
        each(expr, &mut |inside| {
            found = found.or_else(|| match inside {
                Expr::Macro(call) => ours.of(&call.mac.path),
                Expr::Async(block) => ours.first_in(block.block.to_token_stream()),
                Expr::MethodCall(call) if self.asks(call) => Some(Macro::Callback),
                other => match self.of(name_of(other)?)? {
                    Holds::Future(which) => Some(which),
                    Holds::Unordered | Holds::Callback => None,
                },
            });
        });
        found
    }

    fn of(&self, name: &Ident) -> Option<Holds> {
        let found = self.names.iter().rfind(|binding| *name == binding.name);
        found.and_then(|binding| binding.holds)
    }
}

/// Whether this is what `callback!` or `start!` returns, whose `result()` is recorded.
fn is_answer(expr: &Expr, ours: &Ours<'_>) -> bool {
    let made = match ungrouped(expr) {
        Expr::Try(tried) => ungrouped(&tried.expr),
        other => other,
    };
    let Expr::Await(awaited) = made else {
        return false;
    };
    matches!(ungrouped(&awaited.base), Expr::Macro(call) if matches!(ours.of(&call.mac.path), Some(Macro::Callback | Macro::Start)))
}

/// Whether a `let` says that it is a `FuturesUnordered`.
pub(super) fn is_typed_unordered(local: &Local) -> bool {
    matches!(&local.pat, Pat::Type(typed) if says_unordered(&typed.ty))
}

/// Whether tokens name `FuturesUnordered`.
pub(super) fn says_unordered(tokens: impl ToTokens) -> bool {
    fn says(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) => word == UNORDERED,
            TokenTree::Group(group) => says(group.stream()),
            _ => false,
        })
    }
    says(tokens.into_token_stream())
}

/// Calls `see` with whatever an expression holds as it is.
fn each(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    match ungrouped(expr) {
        Expr::Paren(inside) => each(&inside.expr, see),
        Expr::Reference(of) => each(&of.expr, see),
        Expr::Array(list) => list.elems.iter().for_each(|one| each(one, see)),
        Expr::Tuple(list) => list.elems.iter().for_each(|one| each(one, see)),
        Expr::Call(call) if wraps(call) => call.args.iter().for_each(|one| each(one, see)),
        Expr::MethodCall(call) if PASS_ON.iter().any(|name| call.method == name) => {
            each(&call.receiver, see);
            for argument in &call.args {
                if let Expr::Closure(closure) = argument {
                    each(&closure.body, see);
                }
            }
        }
        Expr::Macro(call) if is_one_of(&call.mac.path, &WRAP_MACROS) => {
            let list = Punctuated::<Expr, Token![,]>::parse_terminated;
            if let Ok(list) = list.parse2(call.mac.tokens.clone()) {
                list.iter().for_each(|one| each(one, see));
            }
        }
        other => see(other),
    }
}

fn wraps(call: &ExprCall) -> bool {
    matches!(ungrouped(&call.func), Expr::Path(path) if is_one_of(&path.path, &WRAP))
}

fn is_one_of(path: &syn::Path, names: &[&str]) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| names.iter().any(|name| last.ident == name))
}

fn name_of(expr: &Expr) -> Option<&Ident> {
    match ungrouped(expr) {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}
