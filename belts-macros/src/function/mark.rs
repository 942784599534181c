//! Marks each `step!`, `sleep!`, `sleep_until!` and `scope!` in a body's tokens, and touches nothing else.
//!
//! The mark names the hidden parameter with the hygiene of the attribute, at the place of the user's token.
//! A nested fn does not see that parameter, so what stands in one gets a mark that says so.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::names::{Krate, MARKED, mark as scope_mark, nested_mark};

pub(crate) fn mark(body: TokenStream, krate: &Krate) -> TokenStream {
    let own = own_macros(&body);
    Marker { krate, own }.walk(body, Place::Body)
}

/// The names of the macros that a body defines: a `scope!` of its own is none of ours.
pub(super) fn own_macros(body: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let mut own = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (TokenTree::Group(group), ..) => own.extend(own_macros(&group.stream())),
            (
                TokenTree::Ident(word),
                Some(TokenTree::Punct(bang)),
                Some(TokenTree::Ident(name)),
            ) if word == "macro_rules" && bang.as_char() == '!' => own.push(name.to_string()),
            _ => {}
        }
    }
    own
}

/// Where tokens stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    /// In a nested fn, or an item that may hold some.
    Nested,
}

struct Marker<'a> {
    krate: &'a Krate,
    own: Vec<String>,
}

impl Marker<'_> {
    fn walk(&self, tokens: TokenStream, place: Place) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut marked = Vec::with_capacity(tokens.len());
        // Set from `fn name` and the like to the braces of that item.
        let mut item = None;
        for (at, token) in tokens.iter().enumerate() {
            item = item.or_else(|| starts_item(&tokens, at));
            marked.push(match token {
                TokenTree::Group(group) => {
                    let inside = if group.delimiter() == Delimiter::Brace {
                        item.take()
                    } else {
                        None
                    };
                    self.group(group, self.macro_name(&tokens, at), inside, place)
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    item = None;
                    token.clone()
                }
                other => other.clone(),
            });
        }
        marked.into_iter().collect()
    }

    fn group(
        &self,
        group: &Group,
        call: Option<&Ident>,
        item: Option<Item>,
        place: Place,
    ) -> TokenTree {
        let inside = match item {
            // It is expanded by an attribute of its own.
            Some(Item::Attributed) => return TokenTree::Group(group.clone()),
            Some(Item::Plain) => Place::Nested,
            None => place,
        };
        let mut tokens = TokenStream::new();
        if let Some(name) = call {
            tokens.extend(match inside {
                Place::Body => scope_mark(self.krate, name.span()),
                Place::Nested => nested_mark(name.span()),
            });
        }
        tokens.extend(self.walk(group.stream(), inside));
        let mut new = Group::new(group.delimiter(), tokens);
        new.set_span(group.span());
        TokenTree::Group(new)
    }

    /// The name, where the group at `at` is that of one of our macros: `step!(…)`, `belts::step!(…)`.
    fn macro_name<'t>(&self, tokens: &'t [TokenTree], at: usize) -> Option<&'t Ident> {
        let [before @ .., TokenTree::Ident(name), TokenTree::Punct(bang)] = &tokens[..at] else {
            return None;
        };
        let known = bang.as_char() == '!' && MARKED.iter().any(|known| name == known);
        let ours = match before {
            [
                ..,
                TokenTree::Ident(root),
                TokenTree::Punct(first),
                TokenTree::Punct(second),
            ] if first.as_char() == ':' && second.as_char() == ':' => {
                root == "belts" || self.krate.is_named(root)
            }
            _ => !self.own.iter().any(|own| name == own),
        };
        (known && ours).then_some(name)
    }
}

/// An item in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Plain,
    /// Under `#[belts::steps]` or `#[belts::function]`.
    Attributed,
}

/// Whether an item that has a body of its own starts at this token.
fn starts_item(tokens: &[TokenTree], at: usize) -> Option<Item> {
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

/// Whether one of our attributes stands right before `fn`, among others and words like `pub` and `async`.
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

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn marked(body: TokenStream) -> String {
        mark(body, &Krate::default()).to_string()
    }

    #[test]
    fn steps_are_marked_wherever_they_stand() {
        for body in [
            quote!({ step!("a", x).await? }),
            quote!({ belts::step!("a", x).await? }),
            quote!({ vec![::belts::step! {"a", x}] }),
            quote!({ format!("{}", if a { sleep!["a", "1s"].await? } else { b }) }),
        ] {
            assert_eq!(
                marked(body)
                    .matches("__belts_cx [:: belts] \"a\" ,")
                    .count(),
                1
            );
        }
    }

    #[test]
    fn nothing_else_is_touched() {
        for body in [
            quote!({
                other::step!("a", x);
                step("a");
                !step("a");
                let step = fn_ptr as fn(u32) -> u32;
            }),
            quote!({
                macro_rules! scope {
                    ($name:literal) => {
                        println!($name)
                    };
                }
                scope!("profile");
            }),
            quote!({
                #[belts::steps]
                async fn helper() {
                    step!("a", x).await
                }
            }),
        ] {
            assert_eq!(marked(body.clone()), body.to_string());
        }
    }

    #[test]
    fn nested_fns_are_told_apart() {
        let body = marked(quote!({
            fn inner(f: fn(u32) -> u32) -> u32 {
                step!("inner", x)
            }
            impl Thing {
                fn method(&self) {
                    step!("method", x)
                }
            }
            step!("outer", x)
        }));
        assert!(
            body.contains("step ! (__belts_nested_fn \"inner\""),
            "{body}"
        );
        assert!(
            body.contains("step ! (__belts_nested_fn \"method\""),
            "{body}"
        );
        assert!(
            body.contains("step ! (__belts_cx [:: belts] \"outer\""),
            "{body}"
        );
    }
}
