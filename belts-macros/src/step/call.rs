//! `call!` and `start!`: the function with its event, and the options.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::Expr;

use super::{key::Key, undo, which::Macro};
use crate::{
    diag::Errors,
    names::{Krate, spelled},
    option::{Given, ungrouped},
};

/// The options of `call!` and `start!`, of which each has some.
pub(crate) struct CallOptions {
    pub(super) timeout: Option<TokenStream>,
    pub(super) retries: Option<TokenStream>,
    pub(super) detached: bool,
    pub(super) attached: bool,
    pub(super) undo: Option<Expr>,
}

impl CallOptions {
    pub(super) fn new(mut given: Given, krate: &Krate, errors: &mut Errors) -> Self {
        let mut flag = |name| given.take(name).is_some_and(|opt| opt.flag(errors));
        let (detached, attached) = (flag("detached"), flag("attached"));
        Self {
            detached,
            attached,
            timeout: given
                .take("timeout")
                .map(|opt| opt.some_duration(krate, errors)),
            retries: given.take("retries").map(|opt| opt.number(0, errors)),
            undo: given
                .take("undo")
                .and_then(|opt| undo::closure(opt, errors)),
        }
    }
}

/// The call of a function: it must not be awaited, nor be in a closure.
pub(super) fn called(which: Macro, key: &Key, expr: Expr, errors: &mut Errors) -> Option<Expr> {
    let (name, literal) = (which.name(), key.literal.token());
    let bare = name.trim_end_matches('!');
    let written = |expr: &Expr| spelled(&ungrouped(expr).to_token_stream());
    match ungrouped(&expr) {
        Expr::Try(tried) => {
            let inner = match ungrouped(&tried.expr) {
                Expr::Await(awaited) => &awaited.base,
                _ => &tried.expr,
            };
            let message = awaits(bare, &literal.to_string(), &written(inner));
            errors.at(tried.question_token, message);
            None
        }
        Expr::Await(awaited) => {
            let message = awaits(bare, &literal.to_string(), &written(&awaited.base));
            errors.at(awaited.await_token, message);
            None
        }
        Expr::Closure(closure) => {
            let body = written(&closure.body);
            let message = format!(
                "`{name}` takes the call itself, not a closure: `{name}({literal}, {body})`"
            );
            errors.at(closure, message);
            None
        }
        Expr::MethodCall(method) if method.method == "start" && method.args.is_empty() => {
            let call = written(&method.receiver);
            let message = format!(
                "`{name}` starts the run itself: write `start!({literal}, {call})`, or `call!({literal}, {call})` for its result"
            );
            errors.at(&method.method, message);
            None
        }
        _ => Some(expr),
    }
}

fn awaits(bare: &str, key: &str, call: &str) -> String {
    format!(
        "`{bare}!` takes the call without `.await`, and is awaited itself: `{bare}!({key}, {call}).await?`"
    )
}
