//! What differs from run to run, outside of a step: the run would not do again what it did.
//!
//! A closure or an `async` block is code that runs where it is called or awaited, perhaps in a step. What is in one is reported only
//! where it certainly runs in the function itself: where it is called or awaited there, or where one of our macros is in it, since a
//! step is in no other.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprCall, ExprClosure, Ident, Path, visit::Visit as _};

use super::{
    advice::{Call, Place},
    callers,
    held::{Fate, Found},
    sources::{self, Kind},
    walk::Walk,
};
use crate::{names::spelled, option::ungrouped};

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

    /// Visits what a name comes to hold, or what does not.
    pub(super) fn naming(&mut self, named: bool, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.named, named);
        visit(self);
        self.named = outside;
    }

    /// Visits the body of an `async` block.
    pub(super) fn volatile_async(&mut self, block: &dyn ToTokens, visit: impl FnOnce(&mut Self)) {
        let later = !self.volatile.awaited && !self.is_of_the_function(block);
        let outside = std::mem::replace(&mut self.volatile.place, Place::Here);
        self.later(later, |walk| walk.awaiting(false, visit));
        self.volatile.place = outside;
    }

    /// Visits a closure.
    pub(super) fn volatile_closure(
        &mut self,
        closure: &ExprClosure,
        visit: impl FnOnce(&mut Self),
    ) {
        let called = std::mem::take(&mut self.volatile.called);
        // A future that such a closure returns is awaited if the whole is.
        let awaited = called && self.volatile.awaited;
        let later = !called && !self.is_of_the_function(closure);
        let outside = std::mem::replace(&mut self.volatile.place, Place::Closure);
        self.later(later, |walk| {
            walk.awaiting(awaited, |walk| match closure.asyncness {
                Some(_) => walk.volatile_async(closure, visit),
                None => visit(walk),
            });
        });
        self.volatile.place = outside;
    }

    /// Whether a closure or a block runs in the function itself, since one of our macros is in it.
    pub(super) fn is_of_the_function(&self, code: &dyn ToTokens) -> bool {
        self.task.is_none() && self.ours.first_in(code.to_token_stream()).is_some()
    }

    fn later(&mut self, later: bool, visit: impl FnOnce(&mut Self)) {
        self.volatile.depth += usize::from(later);
        visit(self);
        self.volatile.depth -= usize::from(later);
    }

    /// Takes note of an argument of a method, and whether that calls it. If it is `lazy` it does so where its value is used.
    pub(super) fn volatile_argument(&mut self, method: &Ident, argument: &Expr, lazy: bool) {
        if callers::calls(method) {
            self.given(argument, lazy);
        }
    }

    /// Takes note of what is given to something that calls it.
    fn given(&mut self, argument: &Expr, lazy: bool) {
        match ungrouped(argument) {
            Expr::Closure(_) => self.volatile.called = !lazy,
            Expr::Path(path) if path.qself.is_none() => {
                self.later(lazy, |walk| {
                    walk.called(&path.path, None, Place::Given);
                });
            }
            _ => {}
        }
    }

    /// Visits a call of a function.
    pub(super) fn volatile_call(&mut self, call: &ExprCall) {
        let named = std::mem::take(&mut self.named);
        let lazy = named && callers::is_lazy_function(call);
        let pinned = named && callers::pins(call);
        let pauses = self.callee(call).is_some_and(Kind::pauses);
        self.visit_expr(&call.func);
        let awaited = self.volatile.awaited && callers::awaits(call);
        let calls = callers::function_calls(call);
        self.awaiting(awaited, |walk| {
            for (nth, argument) in call.args.iter().enumerate() {
                if calls {
                    walk.given(argument, lazy);
                }
                // Until when a pause is has been reported with the pause.
                walk.meant(pauses && nth == 0, |walk| {
                    walk.naming(pinned, |walk| walk.visit_expr(argument));
                });
            }
        });
    }

    /// Takes note of what is called.
    fn callee(&mut self, call: &ExprCall) -> Option<Kind> {
        let mut callee = ungrouped(&call.func);
        while let Expr::Paren(inside) = callee {
            callee = ungrouped(&inside.expr);
        }
        match callee {
            Expr::Closure(_) => {
                self.volatile.called = true;
                None
            }
            Expr::Path(path) if path.qself.is_none() => {
                let arguments = call.args.to_token_stream();
                self.called(&path.path, Some(&arguments), self.volatile.place)
            }
            _ => None,
        }
    }

    /// Takes note of the closures among the arguments of what starts a task: if that is awaited, they run here.
    pub(super) fn volatile_task(&mut self, first: Option<&Expr>) {
        let is_closure = first.is_some_and(|first| matches!(ungrouped(first), Expr::Closure(_)));
        self.volatile.called |= is_closure && self.volatile.awaited;
    }

    /// Takes note of a name that is used, but not called.
    pub(super) fn volatile_name(&mut self, path: &Path) {
        let awaited = self.volatile.awaited;
        if let Some(name) = path.get_ident() {
            self.later(self.named, |walk| {
                walk.run(name, Fate::Used { awaited });
            });
        }
    }

    /// Takes note of a call; what it is, if it differs from run to run.
    pub(super) fn called(
        &mut self,
        path: &Path,
        arguments: Option<&TokenStream>,
        place: Place,
    ) -> Option<Kind> {
        if let Some(name) = path.get_ident() {
            let awaited = self.volatile.awaited;
            self.run(name, Fate::Called { awaited });
        }
        let (kind, found) = self.source(path, arguments, place)?;
        self.found(vec![found]);
        Some(kind)
    }

    /// What a path is that differs from run to run, and what to say of a call of it.
    pub(super) fn source(
        &self,
        path: &Path,
        arguments: Option<&TokenStream>,
        place: Place,
    ) -> Option<(Kind, Found)> {
        let resolved = self.volatile.uses.resolve(path)?;
        let kind = sources::of(&resolved, path.leading_colon.is_some())?;
        let at = path.to_token_stream();
        let path = spelled(&at);
        let call = Call {
            path: path.trim_start_matches("::"),
            arguments,
            place,
            krate: &self.ours.krate(),
        };
        let message = call.message(kind);
        let depth = self.volatile.depth;
        Some((kind, Found { at, message, depth }))
    }

    /// What runs if this becomes of a name.
    pub(super) fn run(&mut self, name: &Ident, fate: Fate) {
        if self.may_differ() {
            return;
        }
        let once = self.volatile.depth == 0;
        let found = self.volatile.names.run(name, fate, once);
        self.found(found);
    }

    fn may_differ(&self) -> bool {
        self.step.is_some() || self.volatile.meant
    }

    pub(super) fn found(&mut self, found: Vec<Found>) {
        if self.may_differ() {
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
