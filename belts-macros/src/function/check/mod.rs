//! Checks over a parsed copy of a body: keys used twice, keys without a capture in loops, steps in steps and in tasks.
//!
//! Each macro reports what it can see for itself; this module checks what takes the whole body.

mod advice;
mod bound;
mod branches;
mod callers;
mod calls;
mod elapsed;
mod held;
mod keys;
mod look;
mod macros;
mod once;
mod ours;
mod outside;
mod race;
mod repeat;
mod sources;
mod task;
mod tokens;
mod uses;
mod volatile;
mod walk;

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{
    Arm, Attribute, Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprIf,
    ExprLoop, ExprMethodCall, ExprPath, ExprWhile, FieldValue, Item, Local, PatIdent, Stmt,
    parse::{ParseStream, Parser as _},
    visit::{self, Visit},
};

use self::{
    bound::{Bound, is_typed_unordered},
    held::name_of,
    keys::Keys,
    once::{Once, is_typed_one},
    ours::Ours,
    race::Select,
    repeat::{Repeat, variable},
    task::Task,
    volatile::{Volatile, is_of_tests},
    walk::Walk,
};
use crate::{diag::Errors, names::Krate};

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
        named: false,
        volatile: Volatile::default(),
    };
    walk.volatile.enter(&statements);
    for statement in &statements {
        walk.visit_stmt(statement);
    }
    let Walk { keys, errors, .. } = walk;
    keys.report_duplicates(errors);
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.any_macro(&call.path, &call.tokens);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("cfg") {
            let cfg = self.cfg.get_or_insert_default();
            cfg.push_str(&attribute.to_token_stream().to_string());
            self.volatile.meant |= is_of_tests(attribute);
        }
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        self.under(|walk| visit::visit_stmt(walk, node));
    }

    fn visit_expr(&mut self, node: &'ast Expr) {
        let named = self.named && passes_on(node);
        self.naming(named, |walk| {
            walk.under(|walk| visit::visit_expr(walk, node));
        });
    }

    fn visit_arm(&mut self, node: &'ast Arm) {
        self.under(|walk| walk.scoped(&[], |walk| visit::visit_arm(walk, node)));
    }

    fn visit_block(&mut self, node: &'ast Block) {
        self.scoped(&node.stmts, |walk| visit::visit_block(walk, node));
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
        self.attributes(&node.attrs);
        let holds = self.bound.look(node, &self.ours);
        let put_off = self.volatile.put_off.len();
        // The value does not know its own name yet.
        if let Some(init) = &node.init {
            let select = is_typed_unordered(node).then(Select::unordered);
            self.in_select(select.or(self.select.clone()), |walk| {
                walk.awaiting(false, |walk| {
                    walk.naming(is_named(node), |walk| walk.visit_expr(&init.expr));
                });
            });
            if let Some((_, diverge)) = &init.diverge {
                self.visit_expr(diverge);
            }
        }
        let held = self.look(node, put_off);
        self.visit_pat(&node.pat);
        self.once.bind(node);
        self.bound.bind(&node.pat, holds);
        self.volatile.names.bind(&node.pat, held);
    }

    /// A nested item has its own keys, or none.
    fn visit_item(&mut self, _: &'ast Item) {}

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        self.attributes(&node.attrs);
        self.visit_expr(&node.expr);
        let repeat = Repeat {
            what: "on every iteration of this `for` loop".to_owned(),
            variable: variable(&node.pat),
            otherwise: "",
        };
        self.scoped(&[], |walk| {
            walk.visit_pat(&node.pat);
            walk.within(repeat, |walk| walk.visit_block(&node.body));
        });
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        let repeat = Repeat {
            what: "on every iteration of this `while` loop".to_owned(),
            variable: None,
            otherwise: "",
        };
        self.scoped(&[], |walk| {
            walk.within(repeat, |walk| visit::visit_expr_while(walk, node));
        });
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        let repeat = Repeat {
            what: "on every iteration of this `loop`".to_owned(),
            variable: None,
            otherwise: "",
        };
        self.within(repeat, |walk| visit::visit_expr_loop(walk, node));
    }

    /// What `if let` binds is unknown after `else`.
    fn visit_expr_if(&mut self, node: &'ast ExprIf) {
        self.attributes(&node.attrs);
        self.scoped(&[], |walk| {
            walk.visit_expr(&node.cond);
            walk.visit_block(&node.then_branch);
        });
        if let Some((_, otherwise)) = &node.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        let named = std::mem::take(&mut self.named);
        if let Some(select) = Select::of_method(node) {
            self.ask(node);
            self.report_held(&node.receiver, &select);
            self.in_select(Some(select), |walk| {
                visit::visit_expr_method_call(walk, node);
            });
            return;
        }
        self.attributes(&node.attrs);
        let lazy = named && callers::is_lazy(node) && !self.once.holds(&node.receiver);
        self.naming(lazy, |walk| walk.visit_expr(&node.receiver));
        self.ask(node);
        self.elapsed(node);
        let awaited = self.volatile.awaited && callers::method_awaits(node);
        let arguments = |walk: &mut Self| {
            for argument in &node.args {
                walk.volatile_argument(&node.method, argument, lazy);
                match (argument, repeat::of(node, argument, &walk.once)) {
                    (Expr::Closure(closure), Some(repeat)) => {
                        walk.within(repeat, |walk| walk.visit_expr_closure(closure));
                    }
                    _ => walk.visit_expr(argument),
                }
            }
        };
        let task = Task::of_method(node);
        if self.bound.push(node, &self.ours) {
            let select = Select::unordered();
            for argument in &node.args {
                self.report_held(argument, &select);
            }
            self.in_select(Some(select), |walk| walk.awaiting(awaited, arguments));
        } else if task.is_some() {
            self.volatile_task(node.args.first());
            self.in_task(task, |walk| walk.awaiting(awaited, arguments));
        } else {
            self.awaiting(awaited, arguments);
        }
    }

    fn visit_expr_call(&mut self, node: &'ast ExprCall) {
        self.attributes(&node.attrs);
        let task = Task::of_call(node);
        if let Some(select) = Select::of_fn(&node.func) {
            for argument in &node.args {
                self.report_held(argument, &select);
            }
            self.in_select(Some(select), |walk| walk.volatile_call(node));
        } else if task.is_some() {
            self.volatile_task(node.args.first());
            self.in_task(task, |walk| walk.volatile_call(node));
        } else {
            self.volatile_call(node);
        }
    }

    fn visit_expr_async(&mut self, node: &'ast ExprAsync) {
        self.volatile_async(node, |walk| {
            walk.inside(|walk| visit::visit_expr_async(walk, node));
        });
    }

    fn visit_expr_closure(&mut self, node: &'ast ExprClosure) {
        self.volatile_closure(node, |walk| {
            walk.inside(|walk| {
                walk.scoped(&[], |walk| visit::visit_expr_closure(walk, node));
            });
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

/// Whether what an expression is made of becomes what a name holds, if the expression does.
fn passes_on(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::MethodCall(_) | Expr::Call(_) | Expr::Paren(_) | Expr::Group(_) | Expr::Path(_)
    )
}

/// Whether a `let` gives its value, which may be an iterator, to one name.
fn is_named(local: &Local) -> bool {
    let is_whole = local
        .init
        .as_ref()
        .is_some_and(|init| init.diverge.is_none());
    is_whole && name_of(&local.pat).is_some() && !is_typed_one(local)
}
