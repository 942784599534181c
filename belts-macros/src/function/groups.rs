//! Long bodies: consecutive steps are grouped into `async` blocks.
//!
//! rustc visits each place of an `async` body once for each `.await` before it, so five hundred steps in one body would take it
//! half a minute. A block is a body of its own, and a single `.await` in the body around it. Only plain statements are grouped,
//! `step!(…).await?` with or without a `let`, whose meaning does not change, and only if there are many of them. A step in a block
//! is awaited where it stands, without a future of its own, which halves what rustc does for it.

use std::collections::HashSet;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{quote, quote_spanned};

use crate::names::{CX, Krate, at_site, mark_as_awaited, unraw};

/// A body with this many such statements is a long one.
const MANY: usize = 48;
/// The most statements of a block.
const MOST: usize = 24;

/// The marked body, with its sequences of steps in blocks if it is long.
pub(super) fn group(body: TokenStream, krate: &Krate) -> TokenStream {
    let (statements, rest) = split(body.clone());
    let plain = statements.iter().filter(|statement| statement.is_plain());
    if plain.count() < MANY {
        return body;
    }
    let rows = statements.chunk_by(|a, b| a.is_plain() && b.is_plain());
    let rows: Vec<_> = rows.flat_map(|row| row.chunks(MOST)).collect();
    // From the end, so that it is known whether each name is used again.
    let mut said = HashSet::new();
    note_words(rest.clone(), &mut said);
    let mut grouped = Vec::with_capacity(rows.len());
    for row in rows.into_iter().rev() {
        grouped.push(match row {
            [one] => one.tokens.clone(),
            several => block(several, &said, krate),
        });
        for statement in row {
            note_words(statement.tokens.clone(), &mut said);
        }
    }
    grouped.into_iter().rev().chain([rest]).collect()
}

/// Every word in the tokens, including those in strings, which may capture variables.
fn note_words(tokens: TokenStream, said: &mut HashSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => note_words(group.stream(), said),
            TokenTree::Ident(word) => {
                said.insert(unraw(&word));
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                said.extend(words.map(str::to_owned));
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// A statement that ends in a semicolon.
struct Statement {
    tokens: TokenStream,
    plain: Option<Plain>,
}

/// `step!(…).await?`, and what a `let` before it binds.
struct Plain {
    binding: Option<Binding>,
    question: TokenTree,
}

struct Binding {
    mutable: Option<TokenTree>,
    name: Ident,
}

impl Statement {
    fn is_plain(&self) -> bool {
        self.plain.is_some()
    }

    /// A plain statement whose step is awaited by its expansion, which is cheaper where rustc has many of them to check.
    fn awaited_in_place(&self) -> TokenStream {
        let tokens: Vec<_> = self.tokens.clone().into_iter().collect();
        match &tokens[..] {
            [
                before @ ..,
                name,
                bang,
                TokenTree::Group(call),
                _dot,
                _await,
                question,
                end,
            ] if is_word(name, "step") => {
                let call = mark_as_awaited(call);
                quote!(#(#before)* #name #bang #call #question #end)
            }
            _ => self.tokens.clone(),
        }
    }
}

/// The statements, and the rest after the last semicolon.
fn split(body: TokenStream) -> (Vec<Statement>, TokenStream) {
    let (mut statements, mut tokens) = (Vec::new(), Vec::new());
    for token in body {
        let ends = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';');
        let plain = if ends { plain(&tokens) } else { None };
        tokens.push(token);
        if ends {
            statements.push(Statement {
                tokens: tokens.drain(..).collect(),
                plain,
            });
        }
    }
    (statements, tokens.into_iter().collect())
}

fn plain(statement: &[TokenTree]) -> Option<Plain> {
    let [
        before @ ..,
        name,
        bang,
        TokenTree::Group(call),
        dot,
        wait,
        question,
    ] = statement
    else {
        return None;
    };
    let marked = matches!(call.stream().into_iter().next(), Some(TokenTree::Ident(cx)) if cx == CX);
    let macros = ["step", "sleep", "sleep_until"];
    let ours = marked && macros.iter().any(|ours| is_word(name, ours));
    let awaited = is(bang, '!') && is(dot, '.') && is_word(wait, "await") && is(question, '?');
    if !ours || !awaited {
        return None;
    }
    Some(Plain {
        binding: binding(without_path(before))?,
        question: question.clone(),
    })
}

/// Without the `belts::` before a macro's name.
fn without_path(mut before: &[TokenTree]) -> &[TokenTree] {
    while let [rest @ .., first, second] = before
        && is(first, ':')
        && is(second, ':')
    {
        before = match rest {
            [rest @ .., TokenTree::Ident(_)] | rest => rest,
        };
    }
    before
}

/// What a `let` of one name binds, or that there is no `let`; `None` for anything else.
#[expect(clippy::option_option, reason = "no `let` is one of the two answers")]
fn binding(before: &[TokenTree]) -> Option<Option<Binding>> {
    let (mutable, name, rest) = match before {
        [] => return Some(None),
        [word, mutable, TokenTree::Ident(name), rest @ ..]
            if is_word(word, "let") && is_word(mutable, "mut") =>
        {
            (Some(mutable.clone()), name, rest)
        }
        [word, TokenTree::Ident(name), rest @ ..] if is_word(word, "let") => (None, name, rest),
        _ => return None,
    };
    let whole = match rest {
        [equals] => is(equals, '='),
        [colon, .., equals] => is(colon, ':') && is(equals, '='),
        [] => false,
    };
    let is_name = !name.to_string().starts_with(char::is_uppercase);
    let name = name.clone();
    (whole && is_name).then_some(Some(Binding { mutable, name }))
}

fn is(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == letter)
}

fn is_word(token: &TokenTree, text: &str) -> bool {
    matches!(token, TokenTree::Ident(word) if word == text)
}

/// The statements in a block that returns the names they bind, if these are used again.
fn block(statements: &[Statement], said: &HashSet<String>, krate: &Krate) -> TokenStream {
    let mut bound: Vec<&Binding> = Vec::new();
    for binding in statements
        .iter()
        .filter_map(|it| it.plain.as_ref()?.binding.as_ref())
    {
        // If a name is bound again, the last binding counts.
        bound.retain(|earlier| earlier.name != binding.name);
        bound.push(binding);
    }
    bound.retain(|binding| said.contains(&unraw(&binding.name)));
    let last = statements.last().and_then(|last| last.plain.as_ref());
    let at = last.map_or_else(proc_macro2::Span::call_site, |last| last.question.span());
    let error = krate.at(at).error;
    let statements = statements.iter().map(|statement| {
        let mutable = matches!(&statement.plain, Some(Plain { binding: Some(binding), .. }) if binding.mutable.is_some());
        let allow = mutable.then(|| quote!(#[allow(unused_mut)]));
        let tokens = statement.awaited_in_place();
        quote!(#allow #tokens)
    });
    let (names, patterns): (Vec<_>, Vec<_>) = bound
        .iter()
        .map(|Binding { mutable, name }| (name, quote!(#mutable #name)))
        .unzip();
    let outer = if names.is_empty() {
        TokenStream::new()
    } else {
        quote!(#[allow(unused_mut, unused_variables)] let (#(#patterns,)*) =)
    };
    let (asynchronous, end) = (
        quote_spanned!(at_site(at)=> async),
        quote_spanned!(at_site(at)=> .await?;),
    );
    let ok = quote_spanned!(at_site(at)=> ::core::result::Result::Ok::<_, #error>);
    quote!(#outer #asynchronous { #(#statements)* #ok((#(#names,)*)) } #end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::mark::mark;

    fn grouped(body: &TokenStream) -> String {
        let body = mark(body.clone(), &Krate::default()).body;
        group(body, &Krate::default()).to_string()
    }

    fn repeated(statement: &TokenStream, times: usize) -> TokenStream {
        std::iter::repeat_n(statement.clone(), times).collect()
    }

    #[test]
    fn a_body_with_few_steps_stays_as_it_is() {
        let body = repeated(&quote!(step!("a", x).await?;), MANY - 1);
        assert_eq!(
            grouped(&body),
            mark(body, &Krate::default()).body.to_string()
        );
    }

    #[test]
    fn many_steps_are_put_into_blocks_of_some() {
        let body = repeated(&quote!(belts::step!("a", x).await?;), 2 * MOST + 1);
        let text = grouped(&body);
        assert_eq!(text.matches("async {").count(), 2, "{text}");
        let awaited = r#"belts :: step ! (__belts_cx { :: belts } "a" , x) ? ;"#;
        assert_eq!(text.matches(awaited).count(), 2 * MOST, "{text}");
        assert!(
            text.ends_with(
                "(()) } . await ? ; belts :: step ! (__belts_cx [:: belts] \"a\" , x) . await ? ;"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_they_bind_and_is_said_again_comes_out_of_the_block() {
        let mut body = repeated(&quote!(sleep!("s", "1s").await?;), MANY);
        body.extend(quote! {
            let other = x;
            let a = step!("a", x).await?;
            let mut b: Vec<u8> = step!("b", a).await?;
            let a = step!("c", a).await?;
            let unsaid = step!("d", a).await?;
            Ok(format!("{b}", a))
        });
        let text = grouped(&body);
        assert!(
            text.contains(
                "let other = x ; # [allow (unused_mut , unused_variables)] let (mut b , a ,) = async { let a ="
            ),
            "{text}"
        );
        assert!(
            text.ends_with(":: Error > ((b , a ,)) } . await ? ; Ok (format ! (\"{b}\" , a))"),
            "{text}"
        );
    }

    #[test]
    fn whatever_else_a_statement_is_stands_alone() {
        for other in [
            quote!(let (a, b) = step!("a", x).await?;),
            quote!(let _ = step!("a", x).await;),
            quote!(#[cfg(unix)] step!("a", x).await?;),
            quote!(if a { return Ok(()) } step!("a", x).await?;),
            quote!(let Some = step!("a", x).await?;),
            quote!(a = step!("a", x).await?;),
            quote!(scope!("a", f()).await?;),
            quote!(other::step!("a", x).await?;),
        ] {
            let text = grouped(&repeated(&other, MANY));
            assert!(!text.contains("async {"), "{text}");
        }
    }
}
