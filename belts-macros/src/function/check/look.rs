//! What a `let` makes its name hold that runs later.

use std::borrow::Cow;

use syn::{Expr, ExprMacro, ExprPath, Ident, Local, Stmt};

use super::{
    advice::Place,
    callers,
    held::{Fate, Found, Held, name_of},
    volatile::{is_pin, is_stream},
    walk::Walk,
};
use crate::option::ungrouped;

/// Methods whose value is the future that they are called on.
const SAME: [&str; 5] = ["as_mut", "boxed", "boxed_local", "fuse", "instrument"];

impl Walk<'_> {
    /// What a name comes to hold, once its value was visited. `mark` is how much had been put off before.
    pub(super) fn look(&mut self, local: &Local, mark: usize) -> Held {
        let found = self.volatile.put_off_since(mark);
        let Some(init) = local.init.as_ref() else {
            return Held::Plain;
        };
        if name_of(&local.pat).is_none() || init.diverge.is_some() {
            return Held::Plain;
        }
        let inside = self.volatile.depth + 1;
        let at = |depth: usize| -> Vec<Found> {
            let there = found.iter().filter(|found| found.depth == depth);
            there.cloned().collect()
        };
        let value = of_future(&init.expr);
        match &*value {
            // What is in these was reported, since it cannot run in a step.
            Expr::Closure(_) | Expr::Async(_) if self.is_of_the_function(&*value) => Held::Plain,
            Expr::Closure(closure) => {
                let is_async = closure.asyncness.is_some() || is_future(&closure.body);
                let awaited = if is_async { at(inside + 1) } else { Vec::new() };
                Held::Closure {
                    called: at(inside),
                    awaited,
                }
            }
            Expr::Async(_) => Held::Future(at(inside)),
            Expr::Macro(call) if is_stream(&call.mac.path) => Held::Future(at(inside)),
            Expr::Path(path) => self.alias(path),
            Expr::Call(call) if callers::is_lazy_function(call) => Held::Iterator(at(inside)),
            Expr::Call(call) => match ident(&call.func) {
                Some(name) => self.returned(name),
                None => Held::Plain,
            },
            Expr::MethodCall(call) if callers::is_lazy(call) => Held::Iterator(at(inside)),
            other if self.is_recorded_time(other) => Held::Time,
            _ => Held::Plain,
        }
    }

    /// What a name holds that is another name for something, or for an fn.
    fn alias(&mut self, path: &ExprPath) -> Held {
        if let Some(name) = path.path.get_ident()
            && let Some(held) = self.volatile.names.of(name)
        {
            return held.clone();
        }
        if self.is_recorded_time(&Expr::Path(path.clone())) {
            return Held::Time;
        }
        let source = match path.qself {
            Some(_) => None,
            None => self.source(&path.path, None, Place::Here),
        };
        Held::Closure {
            called: source.into_iter().map(|(_, found)| found).collect(),
            awaited: Vec::new(),
        }
    }

    /// What a closure returned that this name holds.
    fn returned(&self, name: &Ident) -> Held {
        match self.volatile.names.of(name) {
            Some(Held::Closure { awaited, .. }) => Held::Future(awaited.clone()),
            _ => Held::Plain,
        }
    }

    /// Takes note of the futures of a `select!`, which it awaits.
    pub(super) fn select_awaits(&mut self, future: &Expr) {
        let value = of_future(future);
        if let Some(name) = ident(&value) {
            self.run(name, Fate::Used { awaited: true });
        }
    }
}

fn ident(expr: &Expr) -> Option<&Ident> {
    match ungrouped(expr) {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

/// Whether a closure with this body returns a future.
fn is_future(body: &Expr) -> bool {
    match &*of_future(body) {
        Expr::Async(_) => true,
        Expr::Block(block) => match &block.block.stmts[..] {
            [Stmt::Expr(last, None)] => is_future(last),
            _ => false,
        },
        _ => false,
    }
}

/// A future without what pins, boxes or borrows it.
fn of_future(expr: &Expr) -> Cow<'_, Expr> {
    match ungrouped(expr) {
        Expr::Paren(inside) => of_future(&inside.expr),
        Expr::Reference(of) => of_future(&of.expr),
        Expr::MethodCall(call) if SAME.iter().any(|same| call.method == same) => {
            of_future(&call.receiver)
        }
        Expr::Call(call) if call.args.len() == 1 && callers::pins(call) => of_future(&call.args[0]),
        Expr::Macro(ExprMacro { mac, .. }) if is_pin(&mac.path) => {
            match syn::parse2::<Expr>(mac.tokens.clone()) {
                Ok(pinned) => Cow::Owned(of_future(&pinned).into_owned()),
                Err(_) => Cow::Borrowed(expr),
            }
        }
        other => Cow::Borrowed(other),
    }
}
