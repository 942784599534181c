//! The names that serde gives fields on the wire, which reserves `type` for the event type.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{
    Attribute, Expr, ExprLit, Field, Lit, LitStr, Meta, Token, parse::Parser as _,
    punctuated::Punctuated,
};

use crate::{diag::Errors, names::unraw, option::ungrouped};

/// The rules by which fields are renamed, for each direction.
#[derive(Default, Clone)]
pub(super) struct Renames {
    serialize: Option<Expr>,
    deserialize: Option<Expr>,
    /// Left for serde to report.
    wrong: Vec<Meta>,
}

impl Renames {
    /// `rename_all = "…"`, or `rename_all(serialize = "…", deserialize = "…")`.
    pub(super) fn read(&mut self, meta: &Meta, errors: &mut Errors) {
        match meta {
            Meta::Path(path) => {
                let name = path.to_token_stream();
                errors.at(
                    path,
                    format!("`{name}` needs a rule: `{name} = \"camelCase\"`"),
                );
            }
            Meta::NameValue(pair) => {
                self.serialize = Some(pair.value.clone());
                self.deserialize = Some(pair.value.clone());
            }
            Meta::List(list) => match parsed(&list.tokens) {
                Ok(list) => list.into_iter().for_each(|inner| self.one(inner)),
                Err(error) => errors.add(error),
            },
        }
    }

    fn one(&mut self, meta: Meta) {
        match meta {
            Meta::NameValue(pair) if pair.path.is_ident("serialize") => {
                self.serialize = Some(pair.value);
            }
            Meta::NameValue(pair) if pair.path.is_ident("deserialize") => {
                self.deserialize = Some(pair.value);
            }
            other => self.wrong.push(other),
        }
    }

    /// The rules of the whole, where this has none.
    pub(super) fn or(&mut self, other: &Self) {
        self.serialize = self.serialize.take().or_else(|| other.serialize.clone());
        self.deserialize = self
            .deserialize
            .take()
            .or_else(|| other.deserialize.clone());
        self.wrong.extend(other.wrong.iter().cloned());
    }

    pub(super) fn written(&self) -> Option<TokenStream> {
        let same = |one: &Expr, two: &Expr| {
            one.to_token_stream().to_string() == two.to_token_stream().to_string()
        };
        let (serialize, deserialize, wrong) = (
            self.serialize.iter(),
            self.deserialize.iter(),
            self.wrong.iter(),
        );
        match (&self.serialize, &self.deserialize) {
            (None, None) if self.wrong.is_empty() => None,
            (Some(one), Some(two)) if self.wrong.is_empty() && same(one, two) => {
                Some(quote!(rename_all = #one))
            }
            _ => Some(quote!(rename_all(
                #(serialize = #serialize,)* #(deserialize = #deserialize,)* #(#wrong,)*
            ))),
        }
    }
}

/// Nothing in a struct may be written or read as `type`.
pub(super) fn of_struct<'a>(
    attrs: &[Attribute],
    fields: impl IntoIterator<Item = &'a Field>,
    errors: &mut Errors,
) {
    let mut renames = Renames::default();
    for meta in of_serde(attrs).flat_map(metas) {
        if meta.path().is_ident("rename_all") {
            // serde reports a wrong rule.
            renames.read(&meta, &mut Errors::default());
        }
        if let Meta::NameValue(pair) = &meta
            && pair.path.is_ident("tag")
            && let Some(tag) = text(&pair.value)
            && tag.value() == "type"
        {
            errors.at(
                tag,
                "`type` holds the event type; use another name for the tag, such as `kind`, or remove it",
            );
        }
    }
    no_type_field(fields, &renames, errors);
}

/// The wire reserves `type` for the event type.
pub(super) fn no_type_field<'a>(
    fields: impl IntoIterator<Item = &'a Field>,
    renames: &Renames,
    errors: &mut Errors,
) {
    let message = "a field cannot be written as `type`, which holds the event type; use another name, such as `kind`";
    for field in fields {
        let given = Names::of(field);
        if given.is_absent {
            continue;
        }
        if let Some(wrong) = given.all.iter().find(|name| name.value() == "type") {
            errors.at(wrong, message);
        } else if !given.serialize && is_type_by(renames.serialize.as_ref(), field)
            || !given.deserialize && is_type_by(renames.deserialize.as_ref(), field)
        {
            errors.at(&field.ident, message);
        }
    }
}

/// Whether this rule turns the field's own name into `type`.
fn is_type_by(rule: Option<&Expr>, field: &Field) -> bool {
    let name = field.ident.as_ref().map_or_else(String::new, unraw);
    let rule = rule.and_then(text).map(LitStr::value);
    name == "type"
        || rule.is_some_and(|rule| rule == "camelCase") && name.trim_matches('_') == "type"
}

/// The names of a field besides its own.
#[derive(Default)]
struct Names {
    all: Vec<LitStr>,
    serialize: bool,
    deserialize: bool,
    /// Skipped, or replaced by its own fields.
    is_absent: bool,
}

impl Names {
    fn of(field: &Field) -> Self {
        let mut names = Self::default();
        for meta in of_serde(&field.attrs).flat_map(metas) {
            match &meta {
                Meta::Path(path) if path.is_ident("skip") || path.is_ident("flatten") => {
                    names.is_absent = true;
                }
                Meta::NameValue(pair) if pair.path.is_ident("alias") => {
                    names.all.extend(text(&pair.value).cloned());
                }
                Meta::NameValue(pair) if pair.path.is_ident("rename") => {
                    names.serialize = true;
                    names.deserialize = true;
                    names.all.extend(text(&pair.value).cloned());
                }
                Meta::List(list) if list.path.is_ident("rename") => {
                    names.of_directions(&list.tokens);
                }
                _ => {}
            }
        }
        names
    }

    /// `serialize = "…", deserialize = "…"`.
    fn of_directions(&mut self, tokens: &TokenStream) {
        for meta in metas_of(tokens) {
            self.serialize |= meta.path().is_ident("serialize");
            self.deserialize |= meta.path().is_ident("deserialize");
            if let Meta::NameValue(pair) = &meta {
                self.all.extend(text(&pair.value).cloned());
            }
        }
    }
}

/// The content of the attribute; empty if serde has to report it.
fn metas(attribute: &Attribute) -> Vec<Meta> {
    match &attribute.meta {
        Meta::List(list) => metas_of(&list.tokens),
        _ => Vec::new(),
    }
}

fn metas_of(tokens: &TokenStream) -> Vec<Meta> {
    parsed(tokens)
        .map(|list| list.into_iter().collect())
        .unwrap_or_default()
}

fn parsed(tokens: &TokenStream) -> syn::Result<Punctuated<Meta, Token![,]>> {
    Punctuated::parse_terminated.parse2(tokens.clone())
}

pub(super) fn text(value: &Expr) -> Option<&LitStr> {
    match ungrouped(value) {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Some(text),
        _ => None,
    }
}

pub(super) fn of_serde(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
}
