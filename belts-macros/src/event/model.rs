//! What the user's struct or enum means as events, resolved for expansion.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Expr, Field, Fields, FieldsNamed, LitStr, Meta, Path, Token,
    Type, Variant as SynVariant, Visibility, punctuated::Punctuated, spanned::Spanned as _,
};

use crate::{
    diag::{Errors, suggest},
    names::{Krate, kebab, unraw},
    option::{ENUM, Given, STRUCT, Table, VARIANT},
};

/// The derived item.
pub(crate) enum Model {
    Struct(Event),
    Union(Union),
}

/// One event type.
pub(crate) struct Event {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    /// The event type.
    pub(crate) literal: Literal,
    pub(crate) key: Option<Ident>,
    pub(crate) validate: Option<Path>,
    pub(crate) krate: Krate,
}

/// Several event types.
pub(crate) struct Union {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) variants: Vec<Variant>,
    pub(crate) validate: Option<Path>,
    pub(crate) krate: Krate,
}

pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// Around another event, whose type it takes.
    Newtype(Box<Type>),
    Own(Own),
}

/// A variant with an event type of its own.
pub(crate) struct Own {
    pub(crate) event_type: Literal,
    pub(crate) text: String,
    pub(crate) key: Option<Ident>,
    pub(crate) fields: Vec<Field>,
    pub(crate) unit: bool,
    /// For the struct that is written and read in its place.
    pub(crate) serde: Vec<Attribute>,
}

impl Model {
    /// Every mistake goes to the sink; `None` follows only where there were some.
    pub(crate) fn build(input: &DeriveInput, errors: &mut Errors) -> Option<Self> {
        let table = if matches!(input.data, Data::Enum(_)) {
            &ENUM
        } else {
            &STRUCT
        };
        let mut given = options(&input.attrs, table, errors);
        let krate = given.krate(errors);
        let validate = given.take("validate").and_then(|opt| opt.path(errors));
        let (name, vis) = (input.ident.clone(), input.vis.clone());
        if !input.generics.params.is_empty() {
            let message = format!(
                "an event is stored and read back by its type, so `{name}` cannot be generic or borrow; own its data"
            );
            errors.at(&input.generics, message);
            return None;
        }
        match &input.data {
            Data::Struct(data) => {
                let fields = named(&name, &data.fields, errors)?;
                let (event_type, _) = event_type(&mut given, &name, errors);
                let key = key(&mut given, &fields.named, errors);
                no_type_field(&fields.named, errors);
                Some(Self::Struct(Event {
                    name,
                    vis,
                    literal: event_type,
                    key,
                    validate,
                    krate,
                }))
            }
            Data::Enum(data) => {
                let container: Vec<Attribute> = serde_of(&input.attrs).cloned().collect();
                let variants: Option<Vec<Variant>> = data
                    .variants
                    .iter()
                    .map(|item| variant(item, &container, errors))
                    .collect();
                let variants = variants?;
                if variants.is_empty() {
                    errors.at(
                        &name,
                        format!("`{name}` has no variants, so no event fits it; add one"),
                    );
                    return None;
                }
                distinct(&variants, errors);
                Some(Self::Union(Union {
                    name,
                    vis,
                    variants,
                    validate,
                    krate,
                }))
            }
            Data::Union(data) => {
                errors.at(
                    data.union_token,
                    "an event is a struct with named fields, or an enum of events",
                );
                None
            }
        }
    }
}

fn variant(item: &SynVariant, container: &[Attribute], errors: &mut Errors) -> Option<Variant> {
    let name = item.ident.clone();
    let mut given = options(&item.attrs, &VARIANT, errors);
    let (fields, unit) = match &item.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let inner = &fields.unnamed[0].ty;
            if let Some(opt) = given.take("type") {
                let message = "a variant around an event takes that event's type; remove `type`";
                errors.at(&opt.key, message);
            }
            if let Some(opt) = given.take("key") {
                errors.at(
                    &opt.key,
                    "a variant around an event takes that event's key; remove `key`",
                );
            }
            return Some(Variant {
                name,
                body: Body::Newtype(Box::new(inner.clone())),
            });
        }
        Fields::Unnamed(fields) => {
            let message = format!(
                "give the fields of `{name}` names, `{name} {{ … }}`, or wrap one event, `{name}(OrderCreated)`"
            );
            errors.at(fields, message);
            return None;
        }
        Fields::Named(fields) => (fields.named.iter().cloned().collect(), false),
        Fields::Unit => (Vec::new(), true),
    };
    no_type_field(&fields, errors);
    let (event_type, text) = event_type(&mut given, &name, errors);
    let key = key(&mut given, &fields, errors);
    let serde = shadow_attributes(container, &item.attrs);
    Some(Variant {
        name,
        body: Body::Own(Own {
            event_type,
            text,
            key,
            fields,
            unit,
            serde,
        }),
    })
}

/// The options of all `#[event(…)]` on one place, together.
fn options(attrs: &[Attribute], table: &Table, errors: &mut Errors) -> Given {
    let mut all = TokenStream::new();
    for attribute in attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("event"))
    {
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

fn named<'a>(name: &Ident, fields: &'a Fields, errors: &mut Errors) -> Option<&'a FieldsNamed> {
    match fields {
        Fields::Named(fields) => return Some(fields),
        Fields::Unit => {
            let message = format!(
                "an event is a JSON object, so `{name}` needs braces: `struct {name} {{}}`"
            );
            errors.at(name, message);
        }
        Fields::Unnamed(fields) => {
            let message = format!(
                "an event is a JSON object, so the fields of `{name}` need names: `struct {name} {{ order_id: … }}`"
            );
            errors.at(fields, message);
        }
    }
    None
}

fn event_type(given: &mut Given, name: &Ident, errors: &mut Errors) -> (Literal, String) {
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
            "an event's `type` cannot hold {wrong:?}; join words by `-`"
        ));
    }
    match text.chars().count() {
        1..=100 => Ok(()),
        long => Err(format!(
            "an event's `type` has at most 100 characters, and this one {long}; shorten it"
        )),
    }
}

fn literal(text: &str, span: Span) -> Literal {
    let mut literal = Literal::string(text);
    literal.set_span(span);
    literal
}

fn key<'a>(
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
        [] => format!("there is no field `{key}`, or any other, to be the `key`"),
        names => format!(
            "there is no field `{key}` to be the `key`; {}",
            suggest(&unraw(&key), names)
        ),
    };
    errors.at(&key, message);
    None
}

/// The wire keeps `type` for the event's own type.
fn no_type_field<'a>(fields: impl IntoIterator<Item = &'a Field>, errors: &mut Errors) {
    for field in fields {
        let renamed = serde_of(&field.attrs).find_map(renamed);
        let message = "a field cannot be written as `type`, which holds the event's own; name it otherwise, such as `kind`";
        match (&renamed, &field.ident) {
            (Some((name, span)), _) if name == "type" => errors.push(*span, message),
            (None, Some(ident)) if unraw(ident) == "type" => errors.at(ident, message),
            _ => {}
        }
    }
}

/// The name that `rename = "…"` or `rename(serialize = "…")` gives.
fn renamed(attribute: &Attribute) -> Option<(String, Span)> {
    let mut found = None;
    for meta in metas(attribute) {
        if let Meta::NameValue(pair) = &meta
            && (pair.path.is_ident("rename") || pair.path.is_ident("serialize"))
            && let Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = &pair.value
        {
            found = Some((text.value(), text.span()));
        }
        if let Meta::List(list) = &meta
            && list.path.is_ident("rename")
        {
            let inner: Attribute = syn::parse_quote!(#[#list]);
            found = found.or_else(|| renamed(&inner));
        }
    }
    found
}

fn serde_of(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
}

fn metas(attribute: &Attribute) -> Vec<Meta> {
    attribute
        .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        .map(|list| list.into_iter().collect())
        .unwrap_or_default()
}

/// What serde attributes of an enum and its variant mean for a struct of the variant's fields.
fn shadow_attributes(container: &[Attribute], variant: &[Attribute]) -> Vec<Attribute> {
    let mut kept: Vec<Meta> = Vec::new();
    for meta in serde_of(variant).flat_map(metas) {
        if meta.path().is_ident("rename_all") {
            kept.push(meta);
        }
    }
    for meta in container.iter().flat_map(metas) {
        match &meta {
            Meta::Path(path) if path.is_ident("deny_unknown_fields") => kept.push(meta),
            Meta::NameValue(pair) if pair.path.is_ident("rename_all_fields") && kept.is_empty() => {
                let value = &pair.value;
                kept.push(syn::parse_quote!(rename_all = #value));
            }
            Meta::List(list) if list.path.is_ident("rename_all_fields") && kept.is_empty() => {
                let tokens = &list.tokens;
                kept.push(syn::parse_quote!(rename_all(#tokens)));
            }
            _ => {}
        }
    }
    if kept.is_empty() {
        Vec::new()
    } else {
        vec![syn::parse_quote!(#[serde(#(#kept),*)])]
    }
}

/// No two variants of one type, as far as their types stand here.
fn distinct(variants: &[Variant], errors: &mut Errors) {
    let own = || {
        variants.iter().filter_map(|variant| match &variant.body {
            Body::Own(own) => Some((&variant.name, own)),
            Body::Newtype(_) => None,
        })
    };
    for (name, one) in own() {
        if let Some((other, _)) = own().find(|(other, two)| *other != name && two.text == one.text)
        {
            let message = format!(
                "`{name}` and `{other}` have one event type, `{}`; give each its own `type`",
                one.text
            );
            errors.push(one.event_type.span(), message);
        }
    }
}

/// The type of a field, for its error's place.
pub(crate) fn span_of(ty: &Type) -> Span {
    ty.span()
}
