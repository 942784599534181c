//! Checks over a parsed copy of a body: keys used twice, keys without a capture in loops, steps in steps and in tasks.
//!
//! Each macro reports what it can see for itself; this module checks what takes the whole body.

mod once;
mod race;
mod repeat;
mod task;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Arm, Attribute, Block, Expr, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop,
    ExprLoop, ExprMethodCall, ExprWhile, FieldValue, Item, LitStr, Local, Stmt, Token,
    parse::{ParseStream, Parser as _},
    punctuated::Punctuated,
    visit::{self, Visit},
};

use self::{
    once::Once,
    race::{Select, is_select},
    repeat::{Repeat, variable},
    task::Task,
};
use super::mark::own_macros;
use crate::{
    diag::Errors,
    names::Krate,
    step::{Macro, key::Key},
};

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
        krate,
        errors,
        own: own_macros(body),
        keys: Vec::new(),
        once: Once::default(),
        repeat: None,
        step: None,
        scope: String::new(),
        select: None,
        cfg: None,
        task: None,
    };
    for statement in &statements {
        walk.visit_stmt(statement);
    }
    walk.report_duplicates();
}

struct Walk<'a> {
    krate: &'a Krate,
    errors: &'a mut Errors,
    /// Macros that the body defines.
    own: Vec<String>,
    /// Keys without captures, in order.
    keys: Vec<Use>,
    once: Once,
    repeat: Option<Repeat>,
    /// The step whose expression this is.
    step: Option<String>,
    /// The race and the arm that this is in.
    scope: String,
    /// The `select!`, or the like, that this is in.
    select: Option<Select>,
    /// The `#[cfg]`s that this is under.
    cfg: Option<String>,
    task: Option<Task>,
}

/// A key without captures.
struct Use {
    /// The race and the arm whose key it is.
    scope: String,
    key: String,
    literal: LitStr,
    cfg: Option<String>,
}

impl Use {
    /// Two places under different `#[cfg]`s may be one place in each build; at run time a key is still used once.
    fn meets(&self, other: &Self) -> bool {
        let apart = self.cfg.is_some() && other.cfg.is_some() && self.cfg != other.cfg;
        (&self.scope, &self.key) == (&other.scope, &other.key) && !apart
    }
}

impl Walk<'_> {
    fn within(&mut self, repeat: Repeat, visit: impl FnOnce(&mut Self)) {
        let outside = self.repeat.replace(repeat);
        visit(self);
        self.repeat = outside;
    }

    /// Visits everything that may have attributes.
    fn under(&mut self, visit: impl FnOnce(&mut Self)) {
        let outside = self.cfg.clone();
        visit(self);
        self.cfg = outside;
    }

    fn in_select(&mut self, select: Option<Select>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.select, select);
        visit(self);
        self.select = outside;
    }

    /// Visits a block or closure, which is not evaluated where it stands.
    fn inside(&mut self, visit: impl FnOnce(&mut Self)) {
        let task = self.task.map(|_| Task::Inside);
        let select = self.select.clone().map(Select::inside);
        self.in_select(select, |walk| walk.in_task(task, visit));
    }

    fn in_task(&mut self, task: Option<Task>, visit: impl FnOnce(&mut Self)) {
        let outside = std::mem::replace(&mut self.task, task);
        visit(self);
        self.task = outside;
    }

    fn call(&mut self, which: Macro, at: &syn::Path, tokens: &TokenStream) {
        if self.task.is_some() {
            self.errors.at(at, task::message(which));
        }
        if let Some(step) = &self.step {
            let name = which.name();
            let message = format!(
                "`{name}` is inside the expression of step `{step}`, but a step is recorded as a whole; \
                 await this one first and use its value"
            );
            self.errors.at(at, message);
        }
        if let Some(select) = &self.select {
            self.errors.at(at, select.message(which));
        }
        if which == Macro::Race {
            return self.race(tokens);
        }
        let Some((key, arguments)) = split(tokens) else {
            return;
        };
        self.key(&key);
        let outside = self.step.clone();
        if which == Macro::Step {
            self.step = Some(key.literal.value());
        }
        for argument in &arguments {
            self.visit_expr(argument);
        }
        self.step = outside;
    }

    /// Visits the arms of a race, of which each has keys of its own, and the handlers, which are part of the function.
    fn race(&mut self, tokens: &TokenStream) {
        let Some((key, arms)) = race::split(tokens) else {
            return;
        };
        self.key(&key);
        // In a step it is the race itself that was reported.
        let step = self.step.take();
        for arm in &arms {
            let scope = format!("{}{}/{}/", self.scope, key.literal.value(), arm.text());
            let scope = std::mem::replace(&mut self.scope, scope);
            // If the race is reached again its key has to differ, and with that all of these.
            let (repeat, select) = (self.repeat.take(), self.select.take());
            self.visit_expr(&arm.future);
            (self.scope, self.repeat, self.select) = (scope, repeat, select);
            self.visit_expr(&arm.handler);
        }
        self.step = step;
    }

    fn key(&mut self, key: &Key) {
        let Some(plain) = key.plain() else {
            return;
        };
        self.keys.push(Use {
            scope: self.scope.clone(),
            key: plain.to_owned(),
            literal: key.literal.clone(),
            cfg: self.cfg.clone(),
        });
        if let Some(repeat) = &self.repeat {
            let message = repeat.message(plain);
            self.errors.at(&key.literal, message);
        }
    }

    fn report_duplicates(&mut self) {
        for this in &self.keys {
            let Use { key, literal, .. } = this;
            let uses = self.keys.iter().filter(|other| other.meets(this)).count();
            if uses > 1 {
                let message = format!(
                    "key `{key}` is used {uses} times in this function; give each place its own key, \
                     even if a run reaches only one of them"
                );
                self.errors.at(literal, message);
            }
        }
    }

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
                _ => self.expressions_or_scan(group.stream(), group.delimiter()),
            }
        }
    }

    fn any_macro(&mut self, path: &syn::Path, tokens: &TokenStream) {
        let own = path
            .get_ident()
            .is_some_and(|name| self.own.iter().any(|own| name == own));
        match ours(path, self.krate) {
            Some(which) if !own => self.call(which, path, tokens),
            Some(_) => {}
            None if path.is_ident("macro_rules") => {}
            None if is_select(path) && !own => {
                let select = Some(Select::of_macro(path));
                self.in_select(select, |walk| walk.scan(tokens.clone()));
            }
            None => self.expressions_or_scan(tokens.clone(), Delimiter::Parenthesis),
        }
    }

    fn expressions_or_scan(&mut self, tokens: TokenStream, delimiter: Delimiter) {
        let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens.clone());
        match list {
            Ok(list) if delimiter != Delimiter::Brace => {
                list.iter().for_each(|expr| self.visit_expr(expr));
            }
            _ => match Block::parse_within.parse2(tokens.clone()) {
                Ok(statements) => statements
                    .iter()
                    .for_each(|statement| self.visit_stmt(statement)),
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

    fn visit_field_value(&mut self, node: &'ast FieldValue) {
        self.under(|walk| visit::visit_field_value(walk, node));
    }

    fn visit_local(&mut self, node: &'ast Local) {
        visit::visit_local(self, node);
        self.once.bind(node);
    }

    /// A nested item has its own keys, or none.
    fn visit_item(&mut self, _: &'ast Item) {}

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        node.attrs
            .iter()
            .for_each(|attr| self.visit_attribute(attr));
        self.visit_expr(&node.expr);
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
        let arguments = |walk: &mut Self| {
            for argument in &node.args {
                match (argument, repeat::of(node, argument, &walk.once)) {
                    (Expr::Closure(closure), Some(repeat)) => {
                        walk.within(repeat, |walk| walk.visit_expr_closure(closure));
                    }
                    _ => walk.visit_expr(argument),
                }
            }
        };
        let task = task::made_by(&node.method);
        if let Some(select) = Select::of_method(node) {
            self.in_select(Some(select), |walk| {
                visit::visit_expr_method_call(walk, node);
            });
        } else if task.is_some() {
            self.in_task(task, arguments);
        } else {
            arguments(self);
        }
    }

    fn visit_expr_call(&mut self, node: &'ast ExprCall) {
        let task = match &*node.func {
            Expr::Path(path) => path
                .path
                .segments
                .last()
                .and_then(|last| task::made_by(&last.ident)),
            _ => None,
        };
        let visit = |walk: &mut Self| visit::visit_expr_call(walk, node);
        if let Some(select) = Select::of_fn(&node.func) {
            self.in_select(Some(select), visit);
        } else if task.is_some() {
            self.in_task(task, visit);
        } else {
            visit(self);
        }
    }

    fn visit_expr_async(&mut self, node: &'ast ExprAsync) {
        self.inside(|walk| visit::visit_expr_async(walk, node));
    }

    fn visit_expr_closure(&mut self, node: &'ast ExprClosure) {
        self.inside(|walk| visit::visit_expr_closure(walk, node));
    }

    fn visit_expr_await(&mut self, node: &'ast ExprAwait) {
        let task = self.task.and_then(Task::awaited);
        let select = self.select.clone().and_then(Select::awaited);
        self.in_select(select, |walk| {
            walk.in_task(task, |walk| visit::visit_expr_await(walk, node));
        });
    }
}

/// Which of our macros a path names, if any.
fn ours(path: &syn::Path, krate: &Krate) -> Option<Macro> {
    let mut segments = path.segments.iter().rev();
    let which = Macro::from_name(&segments.next()?.ident.to_string())?;
    match segments.next() {
        Some(root) if root.ident != "belts" && !krate.is_named(&root.ident) => None,
        _ => Some(which),
    }
}

/// The key of a call and the expressions after it; `None` if the macro itself will report it.
fn split(tokens: &TokenStream) -> Option<(Key, Vec<Expr>)> {
    let parser = |input: ParseStream<'_>| {
        let key = Key::new(input.parse()?)?;
        let mut arguments = Vec::new();
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            if input.peek(Token![move]) && !input.peek2(Token![|]) && !input.peek2(Token![||]) {
                input.parse::<Token![move]>()?;
            }
            arguments.push(input.parse::<Expr>()?);
        }
        Ok((key, arguments))
    };
    parser.parse2(tokens.clone()).ok()
}
