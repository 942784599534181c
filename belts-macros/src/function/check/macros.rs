//! What other macros are given: expressions, statements, or tokens among which there are some.

use proc_macro2::{Delimiter, TokenStream};
use syn::{
    Block, Expr, Stmt, Token, parse::Parser as _, punctuated::Punctuated, visit::Visit as _,
};

use super::{
    branches,
    race::{Select, is_select},
    volatile::{is_quote, is_stream},
    walk::Walk,
};
use crate::{option::ungrouped, step::Macro};

impl Walk<'_> {
    pub(super) fn any_macro(&mut self, path: &syn::Path, tokens: &TokenStream) {
        let own = self.ours.is_own(path);
        match self.ours.of(path) {
            Some(which) => self.call(which, path, tokens),
            None if own && Macro::from_name(&path_name(path)).is_some() => {}
            None if path.is_ident("macro_rules") || is_quote(path) => {}
            None if self.ours.is_volatile(path) => {
                self.meant(true, |walk| {
                    walk.expressions_or_scan(tokens.clone(), Delimiter::Parenthesis);
                });
            }
            None if is_select(path) && !own => {
                let select = Select::of_macro(path);
                let futures = branches::futures(tokens.clone());
                for future in &futures {
                    self.report_held(future, &select);
                    self.select_awaits(future);
                }
                self.in_select(Some(select), |walk| {
                    for future in &futures {
                        if let Expr::MethodCall(call) = ungrouped(future) {
                            walk.ask(call);
                        }
                    }
                    walk.scan(tokens.clone());
                });
            }
            None if is_stream(path) => self.volatile_async(tokens, |walk| {
                walk.expressions_or_scan(tokens.clone(), Delimiter::Brace);
            }),
            None => {
                self.captured(tokens);
                let awaited = self.volatile.awaits(path);
                self.awaiting(awaited, |walk| {
                    walk.expressions_or_scan(tokens.clone(), Delimiter::Parenthesis);
                });
            }
        }
    }

    /// Reports futures of our macros that were bound to names before.
    pub(super) fn report_held(&mut self, future: &Expr, select: &Select) {
        for held in self.bound.held(future) {
            let message = select.message_of_name(&held.name, held.which);
            self.errors.at(&held.name, message);
        }
    }

    pub(super) fn expressions_or_scan(&mut self, tokens: TokenStream, delimiter: Delimiter) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone());
        match list {
            Ok(list) if delimiter != Delimiter::Brace => {
                list.iter().for_each(|expr| self.visit_expr(expr));
            }
            _ => match Block::parse_within.parse2(tokens.clone()) {
                Ok(statements) if delimiter == Delimiter::Brace || has_items(&statements) => {
                    self.scoped(&statements, |walk| walk.statements(&statements));
                }
                // What these bind is known behind the macro.
                Ok(statements) => self.statements(&statements),
                Err(_) => self.scan(tokens),
            },
        }
    }

    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.visit_stmt(statement);
        }
    }
}

fn has_items(statements: &[Stmt]) -> bool {
    let is_item = |statement: &Stmt| matches!(statement, Stmt::Item(_));
    statements.iter().any(is_item)
}

/// The last part of a path.
fn path_name(path: &syn::Path) -> String {
    let last = path.segments.last();
    last.map(|last| last.ident.to_string()).unwrap_or_default()
}
