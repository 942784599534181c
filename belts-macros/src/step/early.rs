//! `.await` and `?` in the place of an arm's future: what stands there is evaluated before the race begins, and only the future that it
//! comes to takes part.

use proc_macro2::Ident;
use syn::{
    Expr, ExprAwait, ExprTry, Macro,
    visit::{self, Visit},
};

use super::meant;
use crate::diag::Errors;

/// Reports the first of what would be over before the race begins; whether there is any.
pub(super) fn report(arm: &Ident, future: &Expr, errors: &mut Errors) -> bool {
    let mut walk = Walk {
        arm,
        errors,
        found: false,
    };
    walk.visit_expr(future);
    walk.found
}

struct Walk<'a> {
    arm: &'a Ident,
    errors: &'a mut Errors,
    found: bool,
}

impl Walk<'_> {
    fn found(&mut self, at: impl quote::ToTokens, message: String) {
        if !std::mem::replace(&mut self.found, true) {
            self.errors.at(at, message);
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr(&mut self, node: &'ast Expr) {
        // What is in a future of its own, or a closure, takes part in the race.
        if !matches!(node, Expr::Async(_) | Expr::Closure(_)) {
            visit::visit_expr(self, node);
        }
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}

    fn visit_macro(&mut self, node: &'ast Macro) {
        if let Some(expr) = meant::expr(node) {
            self.visit_expr(&expr);
        }
    }

    fn visit_expr_await(&mut self, node: &'ast ExprAwait) {
        visit::visit_expr_await(self, node);
        let arm = self.arm;
        let message = format!(
            "this `.await` would end before the race begins; write the future without `.await`, `{arm} = fetch() => …`, or put it \
             into an `async` block, `{arm} = async {{ … }} => …`"
        );
        self.found(node.await_token, message);
    }

    fn visit_expr_try(&mut self, node: &'ast ExprTry) {
        visit::visit_expr_try(self, node);
        let arm = self.arm;
        let message = format!(
            "this `?` would leave before the race begins; write it before the race, in an `async` block, or in the handler, \
             `{arm} = … => {arm}?`"
        );
        self.found(node.question_token, message);
    }
}
