//! `return`, `break` and `continue` in an arm of a race, which is a future of its own: they would leave that, and not the function. So
//! would macros that return.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{
    Expr, ExprBreak, ExprContinue, ExprForLoop, ExprLoop, ExprReturn, ExprWhile, Label, Lifetime,
    Macro,
    visit::{self, Visit},
};

use super::meant;
use crate::{diag::Errors, names::spelled};

/// Macros of anyhow, eyre and others that return an error.
const RETURN: [&str; 2] = ["bail", "ensure"];

/// Reports what would leave the race from the parts of an arm; whether anything would.
pub(super) fn report(arm: &Ident, parts: [&Expr; 2], errors: &mut Errors) -> bool {
    let mut walk = Walk {
        arm,
        errors,
        loops: Vec::new(),
        found: false,
    };
    for part in parts {
        walk.visit_expr(part);
    }
    walk.found
}

struct Walk<'a> {
    arm: &'a Ident,
    errors: &'a mut Errors,
    /// The loops around this within the arm, with their labels.
    loops: Vec<Option<String>>,
    found: bool,
}

impl Walk<'_> {
    fn within(&mut self, label: Option<&Label>, visit: impl FnOnce(&mut Self)) {
        self.loops.push(label.map(|label| label.name.to_string()));
        visit(self);
        self.loops.pop();
    }

    fn leaves(&self, label: Option<&Lifetime>) -> bool {
        match label {
            Some(label) => {
                let label = Some(label.to_string());
                !self.loops.contains(&label)
            }
            None => self.loops.is_empty(),
        }
    }

    fn found(&mut self, at: impl ToTokens, word: &str) {
        self.found = true;
        let arm = self.arm;
        let message = format!(
            "`{word}` cannot leave a race; make the decision the value of arm `{arm}`, and `{word}` after the race: \
             `let next = race!(…).await?;`"
        );
        self.errors.at(at, message);
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_expr(&mut self, node: &'ast Expr) {
        match node {
            // What they return from, or break out of, is their own.
            Expr::Async(_) | Expr::Closure(_) => {}
            Expr::Block(block) if block.label.is_some() => {
                // Only a `break` with this label ends there.
                self.within(block.label.as_ref(), |walk| {
                    visit::visit_block(walk, &block.block);
                });
            }
            other => visit::visit_expr(self, other),
        }
    }

    fn visit_item(&mut self, _: &'ast syn::Item) {}

    fn visit_macro(&mut self, node: &'ast Macro) {
        if let Some(expr) = meant::expr(node) {
            return self.visit_expr(&expr);
        }
        let last = node.path.segments.last();
        if last.is_some_and(|last| RETURN.iter().any(|name| last.ident == name)) {
            self.found = true;
            let (arm, name) = (self.arm, spelled(&node.path.to_token_stream()));
            let message = format!(
                "`{name}!` returns, which cannot leave a race; leave it with `?`, as in `Err(error)?`, or make the decision the value of \
                 arm `{arm}`, and write `{name}!` after the race"
            );
            self.errors.at(&node.path, message);
        }
    }

    fn visit_expr_return(&mut self, node: &'ast ExprReturn) {
        self.found(node.return_token, "return");
        visit::visit_expr_return(self, node);
    }

    fn visit_expr_break(&mut self, node: &'ast ExprBreak) {
        if self.leaves(node.label.as_ref()) {
            self.found(node.break_token, "break");
        }
        visit::visit_expr_break(self, node);
    }

    fn visit_expr_continue(&mut self, node: &'ast ExprContinue) {
        if self.leaves(node.label.as_ref()) {
            self.found(node.continue_token, "continue");
        }
    }

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        self.visit_expr(&node.expr);
        self.within(node.label.as_ref(), |walk| walk.visit_block(&node.body));
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        self.within(node.label.as_ref(), |walk| {
            visit::visit_expr_while(walk, node);
        });
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        self.within(node.label.as_ref(), |walk| walk.visit_block(&node.body));
    }
}
