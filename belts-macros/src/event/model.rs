//! What the user's struct or enum means as events, resolved for expansion.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Field, Fields, FieldsNamed, Path, Type,
    Variant as SynVariant, Visibility, spanned::Spanned as _,
};

use super::{
    options::{event_type, key, none_on_fields, of_event, options},
    renames,
    serde::{self, Container},
};
use crate::{
    diag::Errors,
    names::{Krate, publish_fn, unraw},
    option::{ENUM, Given, STRUCT, VARIANT},
};

/// The derived item.
pub(crate) enum Model {
    Struct(Box<Event>),
    Union(Union),
}

/// One event type.
pub(crate) struct Event {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    /// The event type.
    pub(crate) literal: Literal,
    pub(crate) key: Option<Ident>,
    pub(crate) key_type: Option<Type>,
    pub(crate) validate: Option<Path>,
    pub(crate) krate: Krate,
    pub(crate) deprecated: Option<Attribute>,
    /// `#[allow(deprecated)]`, if the item is or uses something deprecated.
    pub(crate) allow: TokenStream,
}

/// Several event types.
pub(crate) struct Union {
    pub(crate) name: Ident,
    pub(crate) vis: Visibility,
    pub(crate) variants: Vec<Variant>,
    pub(crate) validate: Option<Path>,
    pub(crate) krate: Krate,
    /// `#[allow(deprecated)]`, if the item is or uses something deprecated.
    pub(crate) allow: TokenStream,
}

pub(crate) struct Variant {
    pub(crate) name: Ident,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    /// Wraps another event and uses its type.
    Newtype(Box<Type>),
    Own(Box<Own>),
}

/// A variant with an event type of its own.
pub(crate) struct Own {
    pub(crate) event_type: Literal,
    pub(crate) text: String,
    pub(crate) key: Option<Ident>,
    /// Without `Self`, since they are repeated in other places.
    pub(crate) fields: Vec<Field>,
    pub(crate) unit: bool,
    /// For the struct that is written and read instead.
    pub(crate) serde: Vec<Attribute>,
    /// The name of its helper, if it has one.
    pub(crate) helper: Option<Ident>,
    /// Of the variant or of the whole enum.
    pub(crate) deprecated: Option<Attribute>,
}

impl Model {
    /// Every mistake goes to the sink; `None` is returned only if there were some.
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
                "an event is stored and read back by its type, so `{name}` cannot be generic or borrow; make its data owned"
            );
            errors.at(&input.generics, message);
            return None;
        }
        match &input.data {
            Data::Struct(data) => {
                let fields = named(&name, &data.fields, errors)?;
                let (event_type, _) = event_type(&mut given, &name, errors);
                let key = key(&mut given, &fields.named, errors);
                none_on_fields(&fields.named, "struct", errors);
                renames::of_struct(&input.attrs, &fields.named, errors);
                Some(Self::Struct(Box::new(Event {
                    name,
                    vis,
                    literal: event_type,
                    key_type: type_of(key.as_ref(), &fields.named),
                    key,
                    validate,
                    krate,
                    deprecated: deprecated(&input.attrs),
                    allow: allow(input),
                })))
            }
            Data::Enum(data) => Some(Self::Union(Union {
                variants: variants(input, data, errors)?,
                name,
                vis,
                validate,
                krate,
                allow: allow(input),
            })),
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

/// The type of the field of this name.
pub(super) fn type_of<'a>(
    name: Option<&Ident>,
    fields: impl IntoIterator<Item = &'a Field>,
) -> Option<Type> {
    let name = unraw(name?);
    let mut fields = fields.into_iter();
    let field = fields.find(|field| {
        field
            .ident
            .as_ref()
            .is_some_and(|ident| unraw(ident) == name)
    })?;
    Some(field.ty.clone())
}

fn variants(input: &DeriveInput, data: &DataEnum, errors: &mut Errors) -> Option<Vec<Variant>> {
    let name = &input.ident;
    let container = Container::of_enum(&input.attrs, errors);
    let variants: Vec<Option<Variant>> = data
        .variants
        .iter()
        .map(|item| variant(item, input, &container, errors))
        .collect();
    let variants: Vec<Variant> = variants.into_iter().collect::<Option<_>>()?;
    if variants.is_empty() {
        errors.at(
            name,
            format!("`{name}` has no variants, so it matches no event; add one"),
        );
        return None;
    }
    distinct(&variants, errors);
    Some(variants)
}

fn variant(
    item: &SynVariant,
    whole: &DeriveInput,
    container: &Container,
    errors: &mut Errors,
) -> Option<Variant> {
    let name = item.ident.clone();
    let mut given = options(&item.attrs, &VARIANT, errors);
    let (fields, unit) = match &item.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let field = &fields.unnamed[0];
            around(item, field, &mut given, errors);
            return Some(Variant {
                name,
                body: Body::Newtype(Box::new(field.ty.clone())),
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
    let mut fields: Vec<Field> = fields;
    for field in &mut fields {
        field.ty = without_self(&field.ty, &whole.ident);
    }
    none_on_fields(&fields, "variant", errors);
    let (event_type, text) = event_type(&mut given, &name, errors);
    let key = key(&mut given, &fields, errors);
    let serde = serde::of_variant(container, &item.attrs, &fields, errors);
    let helper = match given.take("publish") {
        Some(opt) => opt.helper(errors),
        None => Some(publish_fn(&name)),
    };
    Some(Variant {
        name,
        body: Body::Own(Box::new(Own {
            event_type,
            text,
            key,
            fields,
            unit,
            serde,
            helper,
            deprecated: deprecated(&item.attrs).or_else(|| deprecated(&whole.attrs)),
        })),
    })
}

/// A variant that wraps an event has no options of its own.
fn around(item: &SynVariant, field: &Field, given: &mut Given, errors: &mut Errors) {
    for (option, has) in [("type", "type"), ("key", "key"), ("publish", "helper")] {
        if let Some(opt) = given.take(option) {
            let message =
                format!("a variant that wraps an event uses that event's {has}; remove `{option}`");
            errors.at(&opt.key, message);
        }
    }
    for attribute in of_event(&field.attrs) {
        errors.at(
            attribute,
            "a variant that wraps an event uses that event's options; remove `#[event(…)]`",
        );
    }
    serde::none_around(&item.attrs, errors);
    serde::none_around(&field.attrs, errors);
}

/// `Vec<Self>` as `Vec<Order>`.
fn without_self(ty: &Type, name: &Ident) -> Type {
    fn replaced(tokens: TokenStream, name: &Ident) -> TokenStream {
        let replaced = tokens.into_iter().map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let mut name = name.clone();
                name.set_span(ident.span());
                TokenTree::Ident(name)
            }
            TokenTree::Group(group) => {
                let inside = replaced(group.stream(), name);
                let mut new = Group::new(group.delimiter(), inside);
                new.set_span(group.span());
                TokenTree::Group(new)
            }
            other => other,
        });
        replaced.collect()
    }
    syn::parse2(replaced(ty.to_token_stream(), name)).unwrap_or_else(|_| ty.clone())
}

fn deprecated(attrs: &[Attribute]) -> Option<Attribute> {
    attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("deprecated"))
        .cloned()
}

/// Lets generated code name deprecated items. Elsewhere it would be one more lint that users cannot forbid.
fn allow(input: &DeriveInput) -> TokenStream {
    fn says_so(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "deprecated",
            TokenTree::Group(group) => says_so(group.stream()),
            _ => false,
        })
    }
    if says_so(input.to_token_stream()) {
        quote!(#[allow(deprecated)])
    } else {
        TokenStream::new()
    }
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

/// No two variants have the same type, as far as their types are visible here.
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
                "`{name}` and `{other}` have the same event type, `{}`; give each its own `type`",
                one.text
            );
            errors.push(one.event_type.span(), message);
        }
    }
}

/// The type of a field, for the span of an error.
pub(crate) fn span_of(ty: &Type) -> Span {
    ty.span()
}
