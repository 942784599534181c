//! Checks over a parsed copy of a body: keys used twice, keys without a capture in loops, steps in steps and in tasks.
//!
//! Each macro reports what it can see for itself; this module checks what takes the whole body.

mod bound;
mod branches;
mod calls;
mod keys;
mod once;
mod ours;
mod outside;
mod race;
mod repeat;
mod sources;
mod task;
mod uses;
mod volatile;
mod walk;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Arm, Attribute, Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop,
    ExprLoop, ExprMethodCall, ExprPath, ExprWhile, FieldValue, Item, Local, PatIdent, Stmt, Token,
    parse::{ParseStream, Parser as _},
    punctuated::Punctuated,
    visit::{self, Visit},
};

use self::{
    bound::{Bound, is_typed_unordered},
    keys::Keys,
    once::Once,
    ours::Ours,
    race::{Select, is_select},
    repeat::{Repeat, variable},
    task::Task,
    volatile::Volatile,
    walk::Walk,
};
use crate::{diag::Errors, names::Krate, option::ungrouped, step::Macro};

/// Reports nothing about a body that does not parse: rustc does it better.
pub(crate) fn check(body: &TokenStream, krate: &Krate, errors: &mut Errors) {
    let parser = |input: ParseStream<'_>| {
        Attribute::parse_inner(input)?;
        Block::parse_within(input)
    };
    let Ok(statements) = parser.parse2(body.clone()) else {
        return;
    };
    let mut walk = Walk {
        ours: Ours::of_body(body, krate),
        errors,
        keys: Keys::default(),
        once: Once::default(),
        bound: Bound::default(),
        repeat: None,
        step: None,
        races: 0,
        scope: String::new(),
        select: None,
        cfg: None,
        task: None,
        volatile: Volatile::default(),
    };
    walk.volatile.enter(&statements);
    for statement in &statements {
        walk.visit_stmt(statement);
    }
    let Walk { keys, errors, .. } = walk;
    keys.report_duplicates(errors);
}

impl Walk<'_> {
    /// Macros in tokens that are not a list of expressions.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else {
                continue;
            };
            match &tokens[..at] {
                [.., TokenTree::Ident(name), TokenTree::Punct(bang)] if bang.as_char() == '!' => {
                    let path = syn::Path::from(name.clone());
                    self.any_macro(&path, &group.stream());
                }
                _ => {
                    self.volatile_tokens(&tokens, at);
                    self.expressions_or_scan(group.stream(), group.delimiter());
                }
            }
        }
    }

    fn any_macro(&mut self, path: &syn::Path, tokens: &TokenStream) {
        let own = self.ours.is_own(path);
        match self.ours.of(path) {
            Some(which) => self.call(which, path, tokens),
            None if own && Macro::from_name(&path_name(path)).is_some() => {}
            None if path.is_ident("macro_rules") || volatile::is_quote(path) => {}
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
            None => {
                let awaited = self.volatile.awaits(path);
                self.awaiting(awaited, |walk| {
                    walk.expressions_or_scan(tokens.clone(), Delimiter::Parenthesis);
                });
            }
        }
    }

    /// Reports futures of our macros that were bound to names before.
    fn report_held(&mut self, future: &Expr, select: &Select) {
        for held in self.bound.held(future) {
            let message = select.message_of_name(&held.name, held.which);
            self.errors.at(&held.name, message);
        }
    }

    fn expressions_or_scan(&mut self, tokens: TokenStream, delimiter: Delimiter) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone());
        match list {
            Ok(list) if delimiter != Delimiter::Brace => {
                list.iter().for_each(|expr| self.visit_expr(expr));
            }
            _ => match Block::parse_within.parse2(tokens.clone()) {
                Ok(statements) => {
                    self.volatile.enter(&statements);
                    for statement in &statements {
                        self.visit_stmt(statement);
                    }
                    self.volatile.leave();
                }
                Err(_) => self.scan(tokens),
            },
        }
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.any_macro(&call.path, &call.tokens);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("cfg") {
            let cfg = self.cfg.get_or_insert_default();
            cfg.push_str(&attribute.to_token_stream().to_string());
        }
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        self.under(|walk| visit::visit_stmt(walk, node));
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        self.under(|walk| visit::visit_expr(walk, node));
    }

    fn visit_arm(&mut self, node: &'ast Arm) {
        self.under(|walk| visit::visit_arm(walk, node));
    }

    fn visit_block(&mut self, node: &'ast Block) {
        self.bound.enter();
        self.volatile.enter(&node.stmts);
        visit::visit_block(self, node);
        self.volatile.leave();
        self.bound.leave();
    }

    fn visit_pat_ident(&mut self, node: &'ast PatIdent) {
        self.bound.forget(&node.ident);
        self.volatile.forget(&node.ident);
        visit::visit_pat_ident(self, node);
    }

    fn visit_field_value(&mut self, node: &'ast FieldValue) {
        self.under(|walk| visit::visit_field_value(walk, node));
    }

    fn visit_local(&mut self, node: &'ast Local) {
        let holds = self.bound.look(node, &self.ours);
        let put_off = self.volatile.mark();
        if is_typed_unordered(node) {
            self.in_select(Some(Select::unordered()), |walk| {
                visit::visit_local(walk, node);
            });
        } else {
            visit::visit_local(self, node);
        }
        self.once.bind(node);
        self.bound.bind(&node.pat, holds);
        self.volatile.bind(node, put_off);
    }

    /// A nested item has its own keys, or none.
    fn visit_item(&mut self, _: &'ast Item) {}

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        node.attrs
            .iter()
            .for_each(|attr| self.visit_attribute(attr));
        self.visit_expr(&node.expr);
        self.visit_pat(&node.pat);
        let repeat = Repeat {
            what: "on every iteration of this `for` loop".to_owned(),
            variable: variable(&node.pat),
            otherwise: "",
        };
        self.within(repeat, |walk| walk.visit_block(&node.body));
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        let repeat = Repeat {
            what: "on every iteration of this `while` loop".to_owned(),
            variable: None,
            otherwise: "",
        };
        self.within(repeat, |walk| visit::visit_expr_while(walk, node));
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        let repeat = Repeat {
            what: "on every iteration of this `loop`".to_owned(),
            variable: None,
            otherwise: "",
        };
        self.within(repeat, |walk| visit::visit_expr_loop(walk, node));
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        node.attrs
            .iter()
            .for_each(|attr| self.visit_attribute(attr));
        self.visit_expr(&node.receiver);
        self.ask(node);
        let arguments = |walk: &mut Self| {
            for argument in &node.args {
                walk.volatile_argument(&node.method, argument);
                match (argument, repeat::of(node, argument, &walk.once)) {
                    (Expr::Closure(closure), Some(repeat)) => {
                        walk.within(repeat, |walk| walk.visit_expr_closure(closure));
                    }
                    _ => walk.visit_expr(argument),
                }
            }
        };
        let task = Task::of_method(node);
        let is_pushed = self.bound.push(node, &self.ours);
        if let Some(select) = Select::of_method(node) {
            self.report_held(&node.receiver, &select);
            self.in_select(Some(select), |walk| {
                visit::visit_expr_method_call(walk, node);
            });
        } else if is_pushed {
            let select = Select::unordered();
            for argument in &node.args {
                self.report_held(argument, &select);
            }
            self.in_select(Some(select), arguments);
        } else if task.is_some() {
            self.volatile_task(node.args.first());
            self.in_task(task, arguments);
        } else {
            arguments(self);
        }
    }

    fn visit_expr_call(&mut self, node: &'ast ExprCall) {
        let task = Task::of_call(node);
        let visit = |walk: &mut Self| visit::visit_expr_call(walk, node);
        self.volatile_call(node);
        if let Some(select) = Select::of_fn(&node.func) {
            for argument in &node.args {
                self.report_held(argument, &select);
            }
            self.in_select(Some(select), visit);
        } else if task.is_some() {
            self.volatile_task(node.args.first());
            self.in_task(task, visit);
        } else {
            visit(self);
        }
    }

    fn visit_expr_async(&mut self, node: &'ast ExprAsync) {
        self.volatile_async(|walk| walk.inside(|walk| visit::visit_expr_async(walk, node)));
    }

    fn visit_expr_closure(&mut self, node: &'ast ExprClosure) {
        self.volatile_closure(|walk| {
            walk.inside(|walk| visit::visit_expr_closure(walk, node));
        });
    }

    fn visit_expr_await(&mut self, node: &'ast ExprAwait) {
        let task = self.task.and_then(Task::awaited);
        let select = self.select.clone().and_then(Select::awaited);
        self.in_select(select, |walk| {
            walk.in_task(task, |walk| {
                walk.awaiting(true, |walk| visit::visit_expr_await(walk, node));
            });
        });
    }

    fn visit_expr_path(&mut self, node: &'ast ExprPath) {
        self.volatile_name(&node.path);
        visit::visit_expr_path(self, node);
    }
}

/// The last part of a path.
fn path_name(path: &syn::Path) -> String {
    let last = path.segments.last();
    last.map(|last| last.ident.to_string()).unwrap_or_default()
}
