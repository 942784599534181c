//! The structs that stand for a variant: its fields are written from one, by reference, and read into the other.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Expr, ExprLit, ExprPath, Field, Lit, LitStr, Meta, Token, punctuated::Punctuated,
};

use super::{
    model::{Body, Own, Variant},
    renames::of_serde,
};
use crate::names::{Krate, Runtime, at_site, local, unraw};

/// The name of serde next to them.
pub(super) const SERDE: &str = "__belts_serde";

pub(super) fn shadow(variant: &Variant, krate: &Krate) -> Option<TokenStream> {
    let Body::Own(own) = &variant.body else {
        return None;
    };
    let Own {
        fields,
        serde: attrs,
        ..
    } = &**own;
    let at = variant.name.span();
    let Runtime { serde, .. } = krate.at(at);
    let (write, read) = shadow_names(variant);
    let lifetime = (!fields.is_empty()).then(|| quote!(<'event>));
    let mut through = Through {
        variant: unraw(&variant.name),
        krate,
        fns: TokenStream::new(),
    };
    let borrowed: Vec<_> = fields
        .iter()
        .map(|field| {
            let (attrs, name, ty) = (through.attributes(field), &field.ident, &field.ty);
            quote!(#(#attrs)* #name: &'event #ty)
        })
        .collect();
    let owned = fields.iter().map(|field| {
        let (attrs, name, ty) = (of_serde(&field.attrs), &field.ident, &field.ty);
        quote!(#(#attrs)* #name: #ty)
    });
    let fns = through.fns;
    Some(quote_spanned! {at_site(at)=>
        #fns
        #[derive(#serde::Serialize)]
        #[serde(crate = #SERDE)]
        #(#attrs)*
        struct #write #lifetime { #(#borrowed,)* }
        #[derive(#serde::Deserialize)]
        #[serde(crate = #SERDE)]
        #(#attrs)*
        struct #read { #(#owned,)* }
    })
}

pub(super) fn shadow_names(variant: &Variant) -> (Ident, Ident) {
    let name = unraw(&variant.name);
    let span = at_site(variant.name.span());
    (
        format_ident!("__Write{name}", span = span),
        format_ident!("__Read{name}", span = span),
    )
}

/// Fns through which serde calls the user's: a field to be written holds a reference, and a generic fn would take that for
/// the value.
struct Through<'a> {
    variant: String,
    krate: &'a Krate,
    fns: TokenStream,
}

impl Through<'_> {
    /// The serde attributes of a field to be written.
    fn attributes(&mut self, field: &Field) -> Vec<Attribute> {
        of_serde(&field.attrs)
            .map(|attribute| {
                let list =
                    attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
                // serde reports what cannot be parsed.
                let Ok(list) = list else {
                    return attribute.clone();
                };
                let list = list.iter().map(|meta| self.one(meta, field));
                syn::parse_quote!(#[serde(#(#list),*)])
            })
            .collect()
    }

    fn one(&mut self, meta: &Meta, field: &Field) -> TokenStream {
        self.instead(meta, field).unwrap_or_else(|| quote!(#meta))
    }

    /// The replacement for an attribute that names a fn.
    fn instead(&mut self, meta: &Meta, field: &Field) -> Option<TokenStream> {
        let Meta::NameValue(pair) = meta else {
            return None;
        };
        let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &pair.value
        else {
            return None;
        };
        let path: ExprPath = text.parse().ok()?;
        if pair.path.is_ident("skip_serializing_if") {
            let name = self.asking(&path, field, text.span());
            Some(quote!(skip_serializing_if = #name))
        } else if pair.path.is_ident("serialize_with") {
            let name = self.writing(&quote!(#path), field, text.span());
            Some(quote!(serialize_with = #name))
        } else if pair.path.is_ident("with") {
            let name = self.writing(&quote!(#path::serialize), field, text.span());
            Some(quote!(serialize_with = #name))
        } else {
            None
        }
    }

    fn asking(&mut self, path: &ExprPath, field: &Field, at: Span) -> LitStr {
        let (name, text) = self.name("skip", field, at);
        let (value, ty) = (local("value", at), &field.ty);
        self.fns.extend(quote_spanned! {at_site(at)=>
            #[allow(non_snake_case, clippy::all, clippy::pedantic)]
            fn #name(#value: &&#ty) -> bool { #path(*#value) }
        });
        text
    }

    fn writing(&mut self, path: &TokenStream, field: &Field, at: Span) -> LitStr {
        let (name, text) = self.name("write", field, at);
        let (value, out, ty) = (local("value", at), local("out", at), &field.ty);
        let Runtime { serde, .. } = self.krate.at(at);
        self.fns.extend(quote_spanned! {at_site(at)=>
            #[allow(non_snake_case, clippy::all, clippy::pedantic)]
            fn #name<__BeltsOut: #serde::Serializer>(
                #value: &&#ty,
                #out: __BeltsOut,
            ) -> ::core::result::Result<
                <__BeltsOut as #serde::Serializer>::Ok,
                <__BeltsOut as #serde::Serializer>::Error,
            > {
                #path(*#value, #out)
            }
        });
        text
    }

    /// A name for a fn, in the form that serde reads.
    fn name(&self, what: &str, field: &Field, at: Span) -> (Ident, LitStr) {
        let field = field.ident.as_ref().map_or_else(String::new, unraw);
        let name = local(&format!("{what}_{}_{field}", self.variant), at);
        let text = LitStr::new(&name.to_string(), at);
        (name, text)
    }
}
