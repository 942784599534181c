//! What is known of a place in a body, to tell what differs from run to run: names, and code that runs later.

use proc_macro2::TokenStream;
use syn::{Expr, ExprMacro, Ident, Local, Pat, Path, Stmt};

use super::uses::Uses;
use crate::option::ungrouped;

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
    pub(super) uses: Uses,
    /// Whether this is in `volatile!`, or in an argument that is evaluated once in a run.
    pub(super) meant: bool,
    /// Whether a future that stands here is awaited here.
    pub(super) awaited: bool,
    /// Whether the closure that comes next is called where it stands.
    pub(super) called: bool,
    /// How many closures and `async` blocks are around this, of which nobody knows where they run.
    pub(super) depth: usize,
    /// What was found in those.
    pub(super) put_off: Vec<Found>,
    /// What names of closures and `async` blocks hold.
    named: Vec<Named>,
    blocks: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) at: TokenStream,
    pub(super) message: String,
    /// How many closures and `async` blocks are around it.
    pub(super) depth: usize,
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
    pub(super) fn held(&self, path: &Path, is_closure: bool) -> Vec<Found> {
        let named = path.get_ident().and_then(|name| {
            let mut named = self.named.iter().rev();
            named.find(|named| *name == named.name && named.is_closure == is_closure)
        });
        named.map(|named| named.found.clone()).unwrap_or_default()
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
