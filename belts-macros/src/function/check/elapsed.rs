//! `elapsed` on a time that is the same in each run: it reads the clock, as `now` does.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{BinOp, Expr, ExprMethodCall};

use super::{
    advice::Call,
    calls::split,
    held::{Found, Held},
    sources::{self, Kind},
    walk::Walk,
};
use crate::{names::spelled, option::ungrouped, step::Macro};

/// Methods that take the value out of what a step comes to, or that copy it.
const VALUE: [&str; 4] = ["clone", "expect", "unwrap", "unwrap_or_else"];

impl Walk<'_> {
    /// Takes note of a call of `elapsed`.
    pub(super) fn elapsed(&mut self, call: &ExprMethodCall) {
        let receiver = &call.receiver;
        let asks = call.method == "elapsed" && call.args.is_empty();
        if !asks || !self.is_recorded_time(receiver) {
            return;
        }
        let method = &call.method;
        let at = quote!(#receiver.#method);
        let call = Call {
            path: &spelled(&at),
            arguments: Some(&TokenStream::new()),
            place: self.volatile.place,
            krate: &self.ours.krate(),
        };
        let (message, depth) = (call.message(Kind::Elapsed), self.volatile.depth);
        self.found(vec![Found { at, message, depth }]);
    }

    /// Whether this certainly is a `SystemTime` that is the same whenever the run resumes.
    pub(super) fn is_recorded_time(&self, expr: &Expr) -> bool {
        match ungrouped(expr) {
            Expr::Paren(inside) => self.is_recorded_time(&inside.expr),
            Expr::Reference(of) => self.is_recorded_time(&of.expr),
            Expr::Await(awaited) => self.is_recorded_time(&awaited.base),
            Expr::Try(tried) => self.is_recorded_time(&tried.expr),
            Expr::Binary(sum) if matches!(sum.op, BinOp::Add(_) | BinOp::Sub(_)) => {
                self.is_recorded_time(&sum.left)
            }
            Expr::MethodCall(call) if VALUE.iter().any(|value| call.method == value) => {
                self.is_recorded_time(&call.receiver)
            }
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) if name != "UNIX_EPOCH" => {
                    matches!(self.volatile.names.of(name), Some(Held::Time))
                }
                _ => path
                    .path
                    .segments
                    .last()
                    .is_some_and(|last| last.ident == "UNIX_EPOCH"),
            },
            Expr::Macro(call) if self.ours.of(&call.mac.path) == Some(Macro::Step) => {
                let parts = split(&call.mac.tokens);
                let recorded = parts.and_then(|(_, parts)| parts.into_iter().next());
                recorded.is_some_and(|recorded| self.is_time(&recorded))
            }
            _ => false,
        }
    }

    /// Whether this is a `SystemTime` of now, or of some time before or after.
    fn is_time(&self, expr: &Expr) -> bool {
        match ungrouped(expr) {
            Expr::Binary(sum) => self.is_time(&sum.left),
            Expr::Call(call) => match ungrouped(&call.func) {
                Expr::Path(path) if path.qself.is_none() => {
                    let resolved = self.volatile.uses.resolve(&path.path);
                    let is_rooted = path.path.leading_colon.is_some();
                    resolved.is_some_and(|names| {
                        names.iter().any(|name| name == "SystemTime")
                            && sources::of(&names, is_rooted) == Some(Kind::Time)
                    })
                }
                _ => false,
            },
            _ => false,
        }
    }
}
