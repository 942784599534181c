//! The call of a helper within `scope!`.

use quote::{ToTokens as _, quote};
use syn::Expr;

use super::key::Key;
use crate::{diag::Errors, names::spelled, option::ungrouped};

/// A call that a hidden argument can be added to.
pub(super) fn helper_call(key: &Key, expr: &Expr, errors: &mut Errors) -> Option<Expr> {
    let mut expr = ungrouped(expr);
    while let Expr::Paren(inside) = expr {
        expr = ungrouped(&inside.expr);
    }
    match expr {
        Expr::Call(call) if is_box_pin(&call.func) => {
            let message = format!(
                "put the box around the scope: `Box::pin(scope!({}, {})).await`",
                key.literal.token(),
                spelled(&call.args.to_token_stream())
            );
            errors.at(call, message);
        }
        Expr::Call(_) | Expr::MethodCall(_) => return Some(expr.clone()),
        Expr::Await(awaited) => {
            let message = "`scope!` awaits the helper itself; write `.await` after the `scope!(…)`";
            errors.at(awaited.await_token, message);
        }
        other => {
            let message = "`scope!` takes a call to a helper marked `#[belts::steps]`: \
                           `scope!(\"parcel-{n}\", ship_parcel(&order, n))`";
            errors.at(quote!(#other), message);
        }
    }
    None
}

fn is_box_pin(callee: &Expr) -> bool {
    let Expr::Path(path) = ungrouped(callee) else {
        return false;
    };
    let mut segments = path.path.segments.iter().rev();
    segments.next().is_some_and(|last| last.ident == "pin")
        && segments.next().is_some_and(|owner| owner.ident == "Box")
}
