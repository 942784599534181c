//! What serde's attributes mean for events. Each is known by name at every place: those with an effect are copied to the structs
//! that stand for variants, and the others are refused with what to write instead.
//!
//! On a struct, and on the fields of a variant, serde's own derives read them and report unknown ones.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Attribute, Field, LitStr, Meta, Token, punctuated::Punctuated};

use super::renames::{Renames, no_type_field, of_serde, text};
use crate::diag::{Errors, suggest};

/// A place for serde's attributes, with those that serde knows there.
struct Place {
    /// With its article.
    called: &'static str,
    /// Those that have an effect on events.
    kept: &'static [&'static str],
    /// Those that do not, and what to do; empty if they only have to be removed.
    refused: &'static [(&'static str, &'static str)],
}

const ENUM: Place = Place {
    called: "an enum of events",
    kept: &["rename_all_fields", "deny_unknown_fields"],
    refused: &[
        (
            "rename_all",
            "write `#[event(type = \"…\")]` on the variants, and `rename_all_fields` for their fields",
        ),
        ("tag", "remove it: the event type is always in `type`"),
        (
            "content",
            "remove it: an event's fields are next to its type",
        ),
        ("untagged", "remove it: an event is read by its type"),
        ("default", "write it on the fields"),
        ("crate", "remove it: belts finds serde by itself"),
        ("rename", ""),
        ("bound", ""),
        ("remote", ""),
        ("transparent", ""),
        ("from", ""),
        ("try_from", ""),
        ("into", ""),
        ("expecting", ""),
        ("variant_identifier", ""),
        ("field_identifier", ""),
        ("non_exhaustive", ""),
    ],
};

const VARIANT: Place = Place {
    called: "a variant of events",
    kept: &["rename_all"],
    refused: &[
        ("rename", "write `#[event(type = \"…\")]`"),
        (
            "alias",
            "give the other type its own variant, with `#[event(type = \"…\")]`",
        ),
        ("skip", EVERY),
        ("skip_serializing", EVERY),
        ("skip_deserializing", EVERY),
        (
            "other",
            "remove it: an event of another type does not start a function that takes this enum",
        ),
        ("untagged", "remove it: an event is read by its type"),
        ("with", "write it on a field"),
        ("serialize_with", "write it on a field"),
        ("deserialize_with", "write it on a field"),
        ("bound", ""),
        ("borrow", ""),
    ],
};
const EVERY: &str = "move what is not an event out of the enum";

/// What an enum sets for all its variants.
#[derive(Default)]
pub(super) struct Container {
    deny_unknown_fields: Option<Meta>,
    renames: Renames,
}

impl Container {
    /// Reads the attributes of an enum.
    pub(super) fn of_enum(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut container = Self::default();
        for meta in known(attrs, &ENUM, errors) {
            if meta.path().is_ident("deny_unknown_fields") {
                container.deny_unknown_fields = Some(meta);
            } else {
                container.renames.read(&meta, errors);
            }
        }
        container
    }
}

/// What an enum and its variant set for a struct with the variant's fields, whose names are checked.
pub(super) fn of_variant(
    container: &Container,
    attrs: &[Attribute],
    fields: &[Field],
    errors: &mut Errors,
) -> Vec<Attribute> {
    let mut renames = Renames::default();
    for meta in known(attrs, &VARIANT, errors) {
        renames.read(&meta, errors);
    }
    renames.or(&container.renames);
    no_type_field(fields, &renames, errors);
    let kept: Vec<TokenStream> = container
        .deny_unknown_fields
        .iter()
        .map(quote::ToTokens::to_token_stream)
        .chain(renames.written())
        .collect();
    if kept.is_empty() {
        Vec::new()
    } else {
        vec![syn::parse_quote!(#[serde(#(#kept),*)])]
    }
}

/// A variant that wraps an event has no attributes about how it is written.
pub(super) fn none_around(attrs: &[Attribute], errors: &mut Errors) {
    for attribute in of_serde(attrs) {
        errors.at(
            attribute,
            "a variant that wraps an event is serialized as that event; move this attribute there",
        );
    }
}

/// The attributes with an effect at a place; the others are mistakes.
fn known(attrs: &[Attribute], place: &Place, errors: &mut Errors) -> Vec<Meta> {
    let mut kept = Vec::new();
    for attribute in of_serde(attrs) {
        match attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(list) => kept.extend(list.into_iter().filter(|meta| counts(meta, place, errors))),
            Err(error) => errors.add(error),
        }
    }
    kept
}

fn counts(meta: &Meta, place: &Place, errors: &mut Errors) -> bool {
    let path = meta.path();
    if place.kept.iter().any(|name| path.is_ident(name)) {
        return true;
    }
    let refused = place.refused.iter().find(|(name, _)| path.is_ident(name));
    match refused {
        // It states what is already true.
        Some(("tag", _)) if value_of(meta).is_some_and(|tag| tag == "type") => {}
        Some((name, why)) => errors.at(meta, refusal(name, why, meta, place)),
        None => {
            let name = path.to_token_stream().to_string();
            let suggestion = suggest(&name, place.kept);
            let message = format!(
                "unknown serde attribute `{name}` of {}; {suggestion}",
                place.called
            );
            errors.at(path, message);
        }
    }
    false
}

fn refusal(name: &str, why: &str, meta: &Meta, place: &Place) -> String {
    let called = place.called;
    match (name, value_of(meta)) {
        ("rename", Some(value)) if !why.is_empty() => {
            format!(
                "serde's `rename` has no effect on {called}; write `#[event(type = {value:?})]`"
            )
        }
        _ if why.is_empty() => format!("serde's `{name}` has no effect on {called}; remove it"),
        _ => format!("serde's `{name}` has no effect on {called}; {why}"),
    }
}

fn value_of(meta: &Meta) -> Option<String> {
    match meta {
        Meta::NameValue(pair) => text(&pair.value).map(LitStr::value),
        _ => None,
    }
}
