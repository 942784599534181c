//! The futures of a `select!`, whose branches are `pattern = future => handler`.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use syn::{
    Expr,
    parse::{ParseStream, Parser as _},
};

/// The futures that parse; `if` conditions behind them are left out.
pub(super) fn futures(tokens: TokenStream) -> Vec<Expr> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut futures = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some(arrow) = arrow(rest) {
        if let Some(equals) = equals(&rest[..arrow]) {
            let future = rest[equals + 1..arrow].iter().cloned().collect();
            futures.extend(first_expr.parse2(future));
        }
        rest = behind_handler(&rest[arrow + 2..]);
    }
    futures
}

fn first_expr(input: ParseStream<'_>) -> syn::Result<Expr> {
    let expr = input.parse()?;
    input.parse::<TokenStream>()?;
    Ok(expr)
}

/// Where `=>` stands.
fn arrow(tokens: &[TokenTree]) -> Option<usize> {
    let is_arrow = |pair: &[TokenTree]| is(&pair[0], '=') && is(&pair[1], '>');
    tokens.windows(2).position(is_arrow)
}

/// Where the `=` between a pattern and its future stands.
fn equals(tokens: &[TokenTree]) -> Option<usize> {
    let is_joint = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
    let alone = |at: usize| {
        at.checked_sub(1)
            .is_none_or(|before| !is_joint(&tokens[before]))
    };
    (0..tokens.len()).find(|at| is(&tokens[*at], '=') && !is_joint(&tokens[*at]) && alone(*at))
}

/// What follows a handler: a block, perhaps with a comma, or whatever there is up to a comma.
fn behind_handler(tokens: &[TokenTree]) -> &[TokenTree] {
    if let [TokenTree::Group(block), rest @ ..] = tokens
        && block.delimiter() == Delimiter::Brace
    {
        return match rest {
            [comma, rest @ ..] if is(comma, ',') => rest,
            rest => rest,
        };
    }
    let comma = tokens.iter().position(|token| is(token, ','));
    comma.map_or(&[], |comma| &tokens[comma + 1..])
}

fn is(token: &TokenTree, letter: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == letter)
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens as _, quote};

    use super::*;

    #[test]
    fn the_futures_of_a_select_are_told_from_patterns_and_handlers() {
        let select = quote! {
            biased;
            Some(a) = b.next(), if c == d => e,
            f @ 1..=3 = &mut g => { h = i; }
            _ = async { match j { k => l } } => m.n(o),
            else => p,
        };
        let futures: Vec<_> = futures(select)
            .iter()
            .map(|future| future.to_token_stream().to_string())
            .collect();
        assert_eq!(
            futures,
            ["b . next ()", "& mut g", "async { match j { k => l } }"]
        );
    }
}
