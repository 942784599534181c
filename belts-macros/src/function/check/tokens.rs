//! Calls in tokens that are no expressions, as in `info!(at = ?SystemTime::now())` and `json!({ "id": f(id) })`.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Expr, LitStr, Path, Token, parse::Parser as _, punctuated::Punctuated, visit::Visit as _,
};

use super::{held::Fate, sources::Kind, walk::Walk};

impl Walk<'_> {
    /// What is known of tokens that are not a list of expressions.
    pub(super) fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match (token, &tokens[..at]) {
                (TokenTree::Group(group), [.., TokenTree::Ident(name), TokenTree::Punct(bang)])
                    if bang.as_char() == '!' =>
                {
                    let path = Path::from(name.clone());
                    self.any_macro(&path, &group.stream());
                }
                (TokenTree::Group(group), before) => self.group(group, before),
                (TokenTree::Ident(name), before) if is_value(before, tokens.get(at + 1)) => {
                    self.run(name, Fate::Used { awaited: false });
                }
                _ => {}
            }
        }
    }

    /// The names that string literals capture, as in `println!("{id}")`.
    pub(super) fn captured(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            let TokenTree::Literal(literal) = token else {
                continue;
            };
            let Ok(text) = syn::parse2::<LitStr>(literal.to_token_stream()) else {
                continue;
            };
            for name in captures(&text.value()) {
                self.run(&name, Fate::Used { awaited: false });
            }
        }
    }

    /// What is between brackets: `before` tells whether they are the arguments of a call.
    fn group(&mut self, group: &Group, before: &[TokenTree]) {
        let start = path_before(before);
        let is_call = group.delimiter() == Delimiter::Parenthesis && start < before.len();
        if is_call && let Some(method) = method(before, start) {
            return self.arguments(method, group, before, start);
        }
        let path: TokenStream = before[start..].iter().cloned().collect();
        let kind = match syn::parse2::<Path>(path) {
            Ok(path) if is_call => self.called(&path, Some(&group.stream()), self.volatile.place),
            _ => None,
        };
        let pauses = kind.is_some_and(Kind::pauses) && kind != Some(Kind::Timeout);
        self.meant(pauses, |walk| {
            walk.expressions_or_scan(group.stream(), group.delimiter());
        });
    }

    /// The arguments of a method.
    fn arguments(&mut self, method: &Ident, group: &Group, before: &[TokenTree], start: usize) {
        // Of what comes before only a path is certain to be part of the same expression.
        let receiver = path_before(&before[..start - 1]);
        let mut call: TokenStream = before[receiver..].iter().cloned().collect();
        call.extend([TokenTree::Group(group.clone())]);
        let is_whole = receiver == 0 || !is(&before[receiver - 1], '.');
        if is_whole && let Ok(Expr::MethodCall(call)) = syn::parse2(call) {
            self.elapsed(&call);
        }
        let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(group.stream());
        match list {
            Ok(list) => {
                for argument in &list {
                    self.volatile_argument(method, argument, false);
                    self.visit_expr(argument);
                }
            }
            Err(_) => self.expressions_or_scan(group.stream(), group.delimiter()),
        }
    }
}

/// The names in braces.
fn captures(text: &str) -> Vec<Ident> {
    let inside = text.split('{').skip(1);
    let names = inside.filter_map(|inside| inside.split(['}', ':']).next());
    names.filter_map(|name| syn::parse_str(name).ok()).collect()
}

/// The method whose name begins at `start`, if it is one.
fn method(tokens: &[TokenTree], start: usize) -> Option<&Ident> {
    let is_dot = |back: usize| {
        start
            .checked_sub(back)
            .is_some_and(|at| is(&tokens[at], '.'))
    };
    match &tokens[start] {
        // `0..f(x)` is a range.
        TokenTree::Ident(name) if is_dot(1) && !is_dot(2) => Some(name),
        _ => None,
    }
}

/// Whether a word is the name of a value, as far as its neighbours tell: no field, no key and no call.
fn is_value(before: &[TokenTree], after: Option<&TokenTree>) -> bool {
    let is_part = match before {
        [.., first, last] if is(last, ':') => is(first, ':'),
        [.., last] => is(last, '.'),
        [] => false,
    };
    let goes_on = after.is_some_and(|next| match next {
        TokenTree::Punct(punct) => "!:=".contains(punct.as_char()),
        TokenTree::Group(_) => true,
        _ => false,
    });
    !is_part && !goes_on
}

/// Where the path begins that these tokens end with; with what is between `::<` and `>`.
fn path_before(tokens: &[TokenTree]) -> usize {
    let mut start = tokens.len();
    loop {
        let word = without_turbofish(&tokens[..start]);
        if !matches!(word.last(), Some(TokenTree::Ident(_))) {
            return start;
        }
        start = word.len() - 1;
        match tokens[..start] {
            [.., ref first, ref second] if is(first, ':') && is(second, ':') => start -= 2,
            _ => return start,
        }
    }
}

fn without_turbofish(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut open = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        let is_arrow = at > 0 && is(&tokens[at - 1], '-');
        if is(token, '>') && !is_arrow {
            open += 1;
        } else if is(token, '<') {
            open -= 1;
        }
        if open == 0 {
            return match &tokens[..at] {
                [path @ .., first, second]
                    if is(token, '<') && is(first, ':') && is(second, ':') =>
                {
                    path
                }
                _ => tokens,
            };
        }
    }
    tokens
}

fn is(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == letter)
}
