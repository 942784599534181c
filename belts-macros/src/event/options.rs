//! `#[event(…)]`: the options of one item, and those written where none belong.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::{Attribute, Field, LitStr, Meta};

use crate::{
    diag::{Errors, suggest},
    names::{kebab, unraw},
    option::{Given, Table},
};

/// The options of all `#[event(…)]` on one item, together.
pub(super) fn options(attrs: &[Attribute], table: &Table, errors: &mut Errors) -> Given {
    let mut all = TokenStream::new();
    for attribute in of_event(attrs) {
        match &attribute.meta {
            Meta::List(list) => {
                let tokens = &list.tokens;
                all.extend(if all.is_empty() {
                    quote!(#tokens)
                } else {
                    quote!(, #tokens)
                });
            }
            other => errors.at(
                other,
                "write options in parentheses: `#[event(type = \"order-created\")]`",
            ),
        }
    }
    Given::parse(all, table, errors)
}

/// Fields have no options; the options of the event are on `owner`.
pub(super) fn none_on_fields<'a>(
    fields: impl IntoIterator<Item = &'a Field>,
    owner: &str,
    errors: &mut Errors,
) {
    for field in fields {
        for attribute in of_event(&field.attrs) {
            let name = field.ident.as_ref().map_or_else(String::new, unraw);
            let message = if is_about_key(attribute) {
                format!("write the key on the {owner}: `#[event(key = {name})]`")
            } else {
                format!(
                    "fields take no `#[event(…)]`; put the options on the {owner}, such as `#[event(key = {name})]`"
                )
            };
            errors.at(attribute, message);
        }
    }
}

fn is_about_key(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let first = list.tokens.clone().into_iter().next();
    first.is_some_and(|first| first.to_string() == "key")
}

pub(super) fn of_event(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("event"))
}

/// The type as given, or the name in kebab-case.
pub(super) fn event_type(
    given: &mut Given,
    name: &Ident,
    errors: &mut Errors,
) -> (Literal, String) {
    let written: Option<LitStr> = given.take("type").and_then(|opt| opt.text(errors));
    let (text, span) = match &written {
        Some(text) => (text.value(), text.span()),
        None => (kebab(&unraw(name)), name.span()),
    };
    if let Err(message) = check_type(&text) {
        errors.push(span, message);
    }
    (literal(&text, span), text)
}

fn check_type(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(
            "the event's `type` is empty; name it, such as `type = \"order-created\"`".to_owned(),
        );
    }
    if let Some(wrong) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!(
            "an event's `type` cannot contain {wrong:?}; separate words with `-`"
        ));
    }
    if text.starts_with("belts.") {
        return Err(
            "event types that begin with `belts.` are those of belts itself; name it otherwise"
                .to_owned(),
        );
    }
    match text.chars().count() {
        1..=100 => Ok(()),
        long => Err(format!(
            "an event's `type` has at most 100 characters, but this one has {long}; shorten it"
        )),
    }
}

fn literal(text: &str, span: Span) -> Literal {
    let mut literal = Literal::string(text);
    literal.set_span(span);
    literal
}

/// The field that `key` names.
pub(super) fn key<'a>(
    given: &mut Given,
    fields: impl IntoIterator<Item = &'a Field>,
    errors: &mut Errors,
) -> Option<Ident> {
    let key = given.take("key")?.ident(errors)?;
    let names: Vec<String> = fields
        .into_iter()
        .filter_map(|field| field.ident.as_ref())
        .map(unraw)
        .collect();
    if names.contains(&unraw(&key)) {
        return Some(key);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let message = match names.as_slice() {
        [] => format!("`key` names the field `{key}`, but there are no fields"),
        names => format!(
            "`key` names the field `{key}`, which does not exist; {}",
            suggest(&unraw(&key), names)
        ),
    };
    errors.at(&key, message);
    None
}
