//! Items in a body that have bodies of their own.

use proc_macro2::{Delimiter, TokenTree};

/// An item in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Plain,
    /// Under `#[belts::steps]` or `#[belts::function]`.
    Attributed,
}

/// Whether an item that has a body of its own starts at this token.
pub(super) fn starts_item(tokens: &[TokenTree], at: usize) -> Option<Item> {
    let TokenTree::Ident(word) = &tokens[at] else {
        return None;
    };
    let named = matches!(tokens.get(at + 1), Some(TokenTree::Ident(_)));
    match word.to_string().as_str() {
        "fn" if named => Some(if attributed(&tokens[..at]) {
            Item::Attributed
        } else {
            Item::Plain
        }),
        "mod" | "trait" if named => Some(Item::Plain),
        "impl" => Some(Item::Plain),
        _ => None,
    }
}

/// Whether one of our attributes is right before `fn`, among others and words like `pub` and `async`.
fn attributed(before: &[TokenTree]) -> bool {
    for token in before.iter().rev() {
        match token {
            TokenTree::Ident(_) => {}
            TokenTree::Punct(punct) if punct.as_char() == '#' => {}
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let ours = group.stream().into_iter().any(|token| match token {
                    TokenTree::Ident(name) => name == "steps" || name == "function",
                    _ => false,
                });
                if ours {
                    return true;
                }
            }
            // `pub(crate)`
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {}
            _ => return false,
        }
    }
    false
}
