//! Marks each `step!`, `sleep!` and the like in a body's tokens, and touches nothing else.
//!
//! The mark names the hidden parameter with the hygiene of the attribute, located at the user's token.
//! A nested fn does not see that parameter, so macros in one get a mark that says so.
//! It also collects the keys, for what is known about a function before it runs.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::{Expr, LitStr};

use super::{
    arms::{Part, parts},
    items::{Item, starts_item},
};
use crate::{
    names::{Krate, MARKED, mark as scope_mark, nested_mark, unraw},
    option::ungrouped,
    step::{Macro, unknown::parks},
};

/// A body with its macros marked.
pub(crate) struct Marked {
    pub(crate) body: TokenStream,
    pub(crate) keys: Vec<KeyUse>,
    /// The keys in the arms of its races, each with the patterns of the races and the names of the arms that it is under.
    pub(crate) arms: Vec<(Vec<String>, KeyUse)>,
    /// The names of the helpers that its scopes call.
    pub(crate) helpers: Vec<String>,
}

/// A key as it is written, with its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) which: Macro,
    pub(crate) pattern: String,
    /// The closure of a `transaction!` is `async`.
    pub(crate) is_async: bool,
    /// The name of the helper that a scope calls, where that is known; empty for anything else.
    pub(crate) helper: String,
}

pub(crate) fn mark(body: TokenStream, krate: &Krate) -> Marked {
    let mut marker = Marker {
        krate,
        own: own_macros(&body),
        keys: Vec::new(),
        arms: Vec::new(),
        helpers: Vec::new(),
        under: Vec::new(),
    };
    let body = marker.walk(body, Place::Body);
    Marked {
        body,
        keys: marker.keys,
        arms: marker.arms,
        helpers: marker.helpers,
    }
}

/// The names of the macros that a body defines: its own `scope!` is not ours.
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

/// Where tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Body,
    /// In a nested fn, or an item that may hold some.
    Nested,
}

struct Marker<'a> {
    krate: &'a Krate,
    own: Vec<String>,
    keys: Vec<KeyUse>,
    arms: Vec<(Vec<String>, KeyUse)>,
    helpers: Vec<String>,
    /// The races and arms that this is in, whose keys are in a scope.
    under: Vec<String>,
}

impl Marker<'_> {
    fn walk(&mut self, tokens: TokenStream, place: Place) -> TokenStream {
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
                    let call = self.macro_name(&tokens, at);
                    self.group(group, call, inside, place)
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
        &mut self,
        group: &Group,
        call: Option<&Ident>,
        item: Option<Item>,
        place: Place,
    ) -> TokenTree {
        let inside = match item {
            // Another attribute of ours expands it.
            Some(Item::Attributed) => return TokenTree::Group(group.clone()),
            Some(Item::Plain) => Place::Nested,
            None => place,
        };
        let mut tokens = TokenStream::new();
        if let Some(name) = call {
            tokens.extend(match inside {
                Place::Body => {
                    self.note(name, group.stream());
                    scope_mark(self.krate, name.span())
                }
                Place::Nested => nested_mark(name.span()),
            });
        }
        tokens.extend(match call {
            Some(name) if name == "race" => self.race(group.stream(), inside),
            _ => self.walk(group.stream(), inside),
        });
        let mut new = Group::new(group.delimiter(), tokens);
        new.set_span(group.span());
        TokenTree::Group(new)
    }

    /// The arguments of a race, whose arms are in the braces at their end.
    fn race(&mut self, arguments: TokenStream, place: Place) -> TokenStream {
        let pattern = pattern(arguments.clone());
        let arguments = arguments.into_iter().map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let mut arms =
                    Group::new(Delimiter::Brace, self.arms(group.stream(), &pattern, place));
                arms.set_span(group.span());
                TokenTree::Group(arms)
            }
            other => other,
        });
        arguments.collect()
    }

    fn arms(&mut self, arms: TokenStream, race: &str, place: Place) -> TokenStream {
        let outside = self.under.len();
        let mut marked = TokenStream::new();
        for part in parts(arms) {
            let tokens = match part {
                Part::Arm(tokens) => {
                    let name = match tokens.clone().into_iter().next() {
                        Some(TokenTree::Ident(name)) => unraw(&name),
                        _ => UNKNOWN.to_owned(),
                    };
                    self.under.extend([race.to_owned(), name]);
                    tokens
                }
                Part::Handler(tokens) => tokens,
            };
            marked.extend(self.walk(tokens, place));
            self.under.truncate(outside);
        }
        marked
    }

    fn note(&mut self, name: &Ident, arguments: TokenStream) {
        let Some(which) = Macro::from_name(&name.to_string()) else {
            return;
        };
        if which == Macro::Step && parks(&arguments) {
            // The callback that settles it.
            let pattern = format!("settle:{}", pattern(arguments.clone()));
            self.keys.push(KeyUse {
                which: Macro::Callback,
                pattern,
                is_async: false,
                helper: String::new(),
            });
        }
        let helper = match which {
            Macro::Scope => helper_name(arguments.clone()),
            _ => None,
        };
        self.helpers.extend(helper.clone());
        let is_async = which == Macro::Transaction && is_async(arguments.clone());
        let key = KeyUse {
            which,
            pattern: pattern(arguments),
            is_async,
            helper: helper.unwrap_or_default(),
        };
        if self.under.is_empty() {
            self.keys.push(key);
            return;
        }
        // What a function may wait for, and which transactions it has, is asked for as a whole.
        let waits = matches!(
            which,
            Macro::Wait | Macro::Callback | Macro::Call | Macro::Start | Macro::Transaction
        );
        if waits {
            let mut whole = key.clone();
            if which == Macro::Transaction {
                // In an arm it is no key of its own.
                whole.pattern.clear();
            }
            self.keys.push(whole);
        }
        self.arms.push((self.under.clone(), key));
    }

    /// The name, if the group at `at` belongs to one of our macros: `step!(…)`, `belts::step!(…)`.
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

/// A key that is known only when what a `macro_rules!` of the body generates is expanded.
const UNKNOWN: &str = "{}";

/// The key that stands first in the arguments of a macro.
fn pattern(arguments: TokenStream) -> String {
    first_text(arguments).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The name of the helper that a scope calls, after the key: the last one before the arguments.
fn helper_name(arguments: TokenStream) -> Option<String> {
    let mut tokens = arguments.into_iter().skip(2).peekable();
    if matches!(tokens.peek(), Some(TokenTree::Ident(word)) if word == "move") {
        tokens.next();
    }
    let call: Expr = syn::parse2(tokens.collect()).ok()?;
    match ungrouped(&call) {
        Expr::Call(call) => match ungrouped(&call.func) {
            Expr::Path(path) => Some(unraw(&path.path.segments.last()?.ident)),
            _ => None,
        },
        Expr::MethodCall(call) => Some(unraw(&call.method)),
        _ => None,
    }
}

/// Whether the closure after the key is `async`.
fn is_async(arguments: TokenStream) -> bool {
    let mut tokens = arguments.into_iter().skip(2);
    tokens.find_map(|token| match token {
        TokenTree::Ident(word) if word == "async" => Some(true),
        TokenTree::Punct(bar) if bar.as_char() == '|' => Some(false),
        _ => None,
    }) == Some(true)
}

/// The text of a leading string literal, perhaps in the invisible brackets of a `$key:literal`.
fn first_text(tokens: TokenStream) -> Option<String> {
    match tokens.into_iter().next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            first_text(group.stream())
        }
        literal @ TokenTree::Literal(_) => {
            let literal: LitStr = syn::parse2(literal.into()).ok()?;
            Some(literal.value())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    fn marked(body: TokenStream) -> String {
        mark(body, &Krate::default()).body.to_string()
    }

    #[test]
    fn keys_are_noted_as_they_are_written() {
        let body = quote!({
            let all = vec![step!("a-{n:02}", x), belts::sleep! {r"b", "1s"}];
            sleep_until!("c", time).await?;
            scope!("d", help(step!["e", y])).await?;
            macro_rules! twice {
                ($key:literal) => {
                    step!($key, x)
                };
            }
            fn inner() {
                step!("inner", x)
            }
        });
        let keys = mark(body, &Krate::default()).keys;
        let keys: Vec<_> = keys
            .iter()
            .map(|key| (key.which, key.pattern.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                (Macro::Step, "a-{n:02}"),
                (Macro::Sleep, "b"),
                (Macro::SleepUntil, "c"),
                (Macro::Scope, "d"),
                (Macro::Step, "e"),
                (Macro::Step, "{}"),
            ]
        );
    }

    #[test]
    fn of_the_arms_of_a_race_only_waits_are_noted() {
        let body = quote!({
            race!("a", {
                b = step!("b", x) => step!("c", b?).await?,
                d = async { wait!("e", E).await? } => { sleep!("f", "1s").await? }
                g = race!("h", { i = step!("j", x) => i? }) => g?
            })
            .await?;
        });
        let marked = mark(body, &Krate::default());
        let keys: Vec<_> = marked
            .keys
            .iter()
            .map(|key| (key.which, &*key.pattern))
            .collect();
        assert_eq!(
            keys,
            [
                (Macro::Race, "a"),
                (Macro::Step, "c"),
                (Macro::Wait, "e"),
                (Macro::Sleep, "f"),
            ]
        );
        assert_eq!(marked.body.to_string().matches("__belts_cx").count(), 7);
        let arms: Vec<_> = marked
            .arms
            .iter()
            .map(|(under, key)| (under.join("/"), key.which, &*key.pattern))
            .collect();
        assert_eq!(
            arms,
            [
                ("a/b".to_owned(), Macro::Step, "b"),
                ("a/d".to_owned(), Macro::Wait, "e"),
                ("a/g".to_owned(), Macro::Race, "h"),
                ("a/g/h/i".to_owned(), Macro::Step, "j"),
            ]
        );
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
