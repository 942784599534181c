//! Checks over a parsed copy of a body: keys used twice, keys without a capture in loops, steps in steps.
//!
//! What each macro can see for itself, it says itself; here is what takes the whole body to see.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::{
    Block, Expr, ExprClosure, ExprForLoop, ExprLoop, ExprMethodCall, ExprWhile, Item, LitStr, Pat,
    Token,
    parse::{ParseStream, Parser as _},
    punctuated::Punctuated,
    visit::{self, Visit},
};

use crate::{
    diag::Errors,
    names::Krate,
    step::{Macro, key::Key},
};

/// Methods of iterators and streams that call their closure once for each item.
const PER_ITEM: [&str; 20] = [
    "map",
    "for_each",
    "flat_map",
    "filter_map",
    "filter",
    "then",
    "fold",
    "try_fold",
    "try_for_each",
    "scan",
    "map_while",
    "take_while",
    "skip_while",
    "inspect",
    "for_each_concurrent",
    "try_for_each_concurrent",
    "any",
    "all",
    "find_map",
    "partition",
];

/// Says nothing of a body that does not parse: rustc says it better.
pub(crate) fn check(body: &TokenStream, krate: &Krate, errors: &mut Errors) {
    let Ok(statements) = Block::parse_within.parse2(body.clone()) else {
        return;
    };
    let mut walk = Walk {
        krate,
        errors,
        keys: Vec::new(),
        repeat: None,
        step: None,
    };
    for statement in &statements {
        walk.visit_stmt(statement);
    }
    walk.report_duplicates();
}

struct Walk<'a> {
    krate: &'a Krate,
    errors: &'a mut Errors,
    /// Keys without captures, in order.
    keys: Vec<(String, LitStr)>,
    repeat: Option<Repeat>,
    /// The step whose expression this is.
    step: Option<String>,
}

/// What makes code run more than once.
#[derive(Debug, Clone)]
struct Repeat {
    what: String,
    /// A variable that differs each time, if there is a plain one.
    variable: Option<String>,
}

impl Walk<'_> {
    fn within(&mut self, repeat: Repeat, visit: impl FnOnce(&mut Self)) {
        let outside = self.repeat.replace(repeat);
        visit(self);
        self.repeat = outside;
    }

    fn call(&mut self, which: Macro, at: &syn::Path, tokens: &TokenStream) {
        if let Some(step) = &self.step {
            let name = which.name();
            let message = format!(
                "`{name}` stands inside the expression of step `{step}`; a step is done or not done as a whole, \
                 so await this one first and use its value"
            );
            self.errors.at(at, message);
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

    fn key(&mut self, key: &Key) {
        let Some(plain) = key.plain() else {
            return;
        };
        self.keys.push((plain.to_owned(), key.literal.clone()));
        if let Some(Repeat { what, variable }) = &self.repeat {
            let variable = variable.as_deref().unwrap_or("n");
            let message = format!(
                "key `{plain}` is reached again and again {what}, and a key is used once in a run; \
                 put what differs into it, as in `\"{plain}-{{{variable}}}\"`"
            );
            self.errors.at(&key.literal, message);
        }
    }

    fn report_duplicates(&mut self) {
        for (key, literal) in &self.keys {
            let uses = self.keys.iter().filter(|(other, _)| other == key).count();
            if uses > 1 {
                let message = format!(
                    "key `{key}` is used {uses} times in this function; give each place a key of its own, \
                     even where only one of them is reached"
                );
                self.errors.at(literal, message);
            }
        }
    }

    /// Macros in tokens that are no list of expressions.
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
        match ours(path, self.krate) {
            Some(which) => self.call(which, path, tokens),
            None if path.is_ident("macro_rules") => {}
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

    /// A nested item has keys of its own, or none.
    fn visit_item(&mut self, _: &'ast Item) {}

    fn visit_expr_for_loop(&mut self, node: &'ast ExprForLoop) {
        self.visit_expr(&node.expr);
        let repeat = Repeat {
            what: "in this `for` loop".to_owned(),
            variable: variable(&node.pat),
        };
        self.within(repeat, |walk| walk.visit_block(&node.body));
    }

    fn visit_expr_while(&mut self, node: &'ast ExprWhile) {
        let repeat = Repeat {
            what: "in this `while` loop".to_owned(),
            variable: None,
        };
        self.within(repeat, |walk| visit::visit_expr_while(walk, node));
    }

    fn visit_expr_loop(&mut self, node: &'ast ExprLoop) {
        let repeat = Repeat {
            what: "in this `loop`".to_owned(),
            variable: None,
        };
        self.within(repeat, |walk| visit::visit_expr_loop(walk, node));
    }

    fn visit_expr_method_call(&mut self, node: &'ast ExprMethodCall) {
        self.visit_expr(&node.receiver);
        let per_item = PER_ITEM.iter().any(|name| node.method == name);
        for argument in &node.args {
            match argument {
                Expr::Closure(closure) if per_item => {
                    let what = format!("in the closure of `{}`", node.method);
                    let repeat = Repeat {
                        what,
                        variable: closure_variable(closure),
                    };
                    self.within(repeat, |walk| walk.visit_expr_closure(closure));
                }
                other => self.visit_expr(other),
            }
        }
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

/// The key of a call and the expressions after it; `None` where the macro itself will complain.
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

fn variable(pat: &Pat) -> Option<String> {
    match pat {
        Pat::Ident(ident) => Some(ident.ident.to_string()),
        Pat::Reference(reference) => variable(&reference.pat),
        Pat::Type(typed) => variable(&typed.pat),
        _ => None,
    }
}

fn closure_variable(closure: &ExprClosure) -> Option<String> {
    closure.inputs.first().and_then(variable)
}
