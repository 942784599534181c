//! The arms of a `race!` in tokens, whether they parse or not: which of them belong to futures, and which to handlers.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A part of what is between the braces of a race.
pub(super) enum Part {
    /// `name = future`, whose keys are in the scope of the arm.
    Arm(TokenStream),
    /// `=> handler,`, which is outside of that.
    Handler(TokenStream),
}

pub(super) fn parts(tokens: TokenStream) -> Vec<Part> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut parts = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let future = arrow(rest).unwrap_or(rest.len());
        parts.push(Part::Arm(collect(&rest[..future])));
        rest = &rest[future..];
        let handler = end_of_handler(rest);
        parts.push(Part::Handler(collect(&rest[..handler])));
        rest = &rest[handler..];
    }
    parts
}

fn collect(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

/// Where `=>` stands.
fn arrow(tokens: &[TokenTree]) -> Option<usize> {
    let is_arrow = |pair: &[TokenTree]| is(&pair[0], '=') && is(&pair[1], '>');
    tokens.windows(2).position(is_arrow)
}

/// Behind the handler that starts here with its `=>`: behind its comma, or the braces that are all of it.
fn end_of_handler(tokens: &[TokenTree]) -> usize {
    if let [_, _, TokenTree::Group(block), rest @ ..] = tokens
        && block.delimiter() == Delimiter::Brace
        && !rest
            .first()
            .is_some_and(|next| is(next, '.') || is(next, '?'))
    {
        let comma = rest.first().is_some_and(|next| is(next, ','));
        return 3 + usize::from(comma);
    }
    let comma = tokens.iter().position(|token| is(token, ','));
    comma.map_or(tokens.len(), |comma| comma + 1)
}

fn is(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == letter)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn futures_and_handlers_are_told_apart_and_nothing_is_lost() {
        let arms = quote! {
            a = step!("a", x) => a?,
            b = async { match c { d => e, } } => { f }
            g = h => { i }.j()?, k = l => m
        };
        let (mut futures, mut all) = (Vec::new(), TokenStream::new());
        for part in parts(arms.clone()) {
            match part {
                Part::Arm(tokens) => {
                    futures.push(tokens.to_string());
                    all.extend(tokens);
                }
                Part::Handler(tokens) => all.extend(tokens),
            }
        }
        assert_eq!(all.to_string(), arms.to_string());
        let wanted = [
            quote!(a = step!("a", x)),
            quote!(
                b = async {
                    match c {
                        d => e,
                    }
                }
            ),
            quote!(g = h),
            quote!(k = l),
        ];
        assert_eq!(futures, wanted.map(|tokens| tokens.to_string()));
    }

    #[test]
    fn half_typed_arms_are_parts_as_well() {
        for half in [
            quote!(),
            quote!(a),
            quote!(a = ),
            quote!(a = b =>),
            quote!(=> c, =>),
        ] {
            let all: TokenStream = parts(half.clone())
                .into_iter()
                .map(|part| match part {
                    Part::Arm(tokens) | Part::Handler(tokens) => tokens,
                })
                .collect();
            assert_eq!(all.to_string(), half.to_string());
        }
    }
}
