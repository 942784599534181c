//! What an enum becomes: an `EventSet` of its variants' types, with a publish helper for each variant of its own.
//!
//! A variant with fields is written and read as a private struct of these fields, so that the enum itself needs
//! no serde at all and its attributes for fields still count.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

use super::{
    expand::{check, register},
    model::{Body, Own, Union, Variant, span_of},
};
use crate::{
    names::{Krate, Runtime, at_site, publish_fn, unraw},
    step::expand::optional,
};

pub(crate) fn expand(union: &Union) -> TokenStream {
    let Union {
        name,
        variants,
        validate,
        krate,
        ..
    } = union;
    let at = name.span();
    let Runtime {
        event_set,
        check_result,
        encoded_event,
        unknown_type,
        ..
    } = krate.at(at);
    let types = variants.iter().map(|variant| event_type(variant, krate));
    let shadows = variants.iter().map(|variant| shadow(variant, krate));
    let encoders = variants.iter().map(|variant| encode(variant, krate));
    let decoders = variants.iter().map(|variant| decode(variant, krate));
    let check = match validate {
        Some(path) => check(
            path,
            &quote!(<Self as #event_set>::encode(self).map_or(stringify!(#name).into(), |event| event.event_type)),
            krate,
        ),
        None => delegated_check(union),
    };
    let own: Vec<_> = variants
        .iter()
        .filter(|variant| matches!(variant.body, Body::Own(_)))
        .collect();
    let own_types = own.iter().map(|variant| event_type(variant, krate));
    let register =
        (!own.is_empty()).then(|| register(&quote!(&[#(#own_types),*]), &quote!(#name), at, krate));
    let distinct = distinct(union);
    let helpers = variants.iter().map(|variant| helper(union, variant));
    quote_spanned! {at_site(at)=>
        const _: () = {
            #(#shadows)*
            #[automatically_derived]
            impl #event_set for #name {
                const TYPES: &'static [&'static str] = &[#(#types),*];
                fn encode(&self) -> #check_result<#encoded_event> {
                    match self { #(#encoders)* }
                }
                fn decode(event_type: &str, payload: &[u8]) -> #check_result<Self> {
                    #(#decoders)*
                    ::core::result::Result::Err(#unknown_type(event_type, <Self as #event_set>::TYPES))
                }
                #check
            }
            #register
            #distinct
        };
        #(#helpers)*
    }
}

fn event_type(variant: &Variant, krate: &Krate) -> TokenStream {
    match &variant.body {
        Body::Newtype(inner) => {
            let at = span_of(inner);
            let event_set = krate.at(at).event_set;
            quote_spanned!(at_site(at)=> <#inner as #event_set>::TYPES[0])
        }
        Body::Own(own) => {
            let event_type = &own.event_type;
            quote!(#event_type)
        }
    }
}

/// The structs that a variant's fields are written from and read into.
fn shadow(variant: &Variant, krate: &Krate) -> Option<TokenStream> {
    let Body::Own(Own {
        fields,
        serde: attrs,
        ..
    }) = &variant.body
    else {
        return None;
    };
    let at = variant.name.span();
    let Runtime { serde, .. } = krate.at(at);
    let serde_path = krate.serde();
    let (write, read) = shadow_names(variant);
    let lifetime = (!fields.is_empty()).then(|| quote!(<'event>));
    let borrowed = fields.iter().map(|field| {
        let (attrs, name, ty) = (serde_attrs(field), &field.ident, &field.ty);
        quote!(#(#attrs)* #name: &'event #ty)
    });
    let owned = fields.iter().map(|field| {
        let (attrs, name, ty) = (serde_attrs(field), &field.ident, &field.ty);
        quote!(#(#attrs)* #name: #ty)
    });
    Some(quote_spanned! {at_site(at)=>
        #[derive(#serde::Serialize)]
        #[serde(crate = #serde_path)]
        #(#attrs)*
        struct #write #lifetime { #(#borrowed,)* }
        #[derive(#serde::Deserialize)]
        #[serde(crate = #serde_path)]
        #(#attrs)*
        struct #read { #(#owned,)* }
    })
}

fn serde_attrs(field: &syn::Field) -> impl Iterator<Item = &syn::Attribute> {
    field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
}

fn shadow_names(variant: &Variant) -> (syn::Ident, syn::Ident) {
    let name = unraw(&variant.name);
    let span = at_site(variant.name.span());
    (
        format_ident!("__Write{name}", span = span),
        format_ident!("__Read{name}", span = span),
    )
}

fn encode(variant: &Variant, krate: &Krate) -> TokenStream {
    let name = &variant.name;
    let at = name.span();
    let Runtime {
        event_set,
        encode_event,
        correlation_key,
        ..
    } = krate.at(at);
    let own = match &variant.body {
        Body::Newtype(inner) => {
            return quote_spanned!(at_site(at)=> Self::#name(event) => <#inner as #event_set>::encode(event),);
        }
        Body::Own(own) => own,
    };
    let (write, _) = shadow_names(variant);
    let event_type = &own.event_type;
    let fields: Vec<_> = own.fields.iter().map(|field| &field.ident).collect();
    let key = optional_key(own, &correlation_key);
    let pattern = pattern(own, &fields);
    quote_spanned! {at_site(at)=>
        Self::#name #pattern => #encode_event(#event_type, &#write { #(#fields),* }, #key),
    }
}

fn optional_key(own: &Own, correlation_key: &TokenStream) -> TokenStream {
    match &own.key {
        Some(key) => quote!(#correlation_key(#key)),
        None => optional(None),
    }
}

/// ` { a, b }`, or nothing for a unit variant.
fn pattern(own: &Own, fields: &[&Option<syn::Ident>]) -> TokenStream {
    if own.unit {
        TokenStream::new()
    } else {
        quote!({ #(#fields),* })
    }
}

fn decode(variant: &Variant, krate: &Krate) -> TokenStream {
    let name = &variant.name;
    let at = name.span();
    let Runtime {
        event_set,
        decode_event,
        ..
    } = krate.at(at);
    let event_type = event_type(variant, krate);
    let read = match &variant.body {
        Body::Newtype(inner) => quote_spanned! {at_site(at)=>
            <#inner as #event_set>::decode(event_type, payload).map(Self::#name)
        },
        Body::Own(own) => {
            let (_, read) = shadow_names(variant);
            let fields: Vec<_> = own.fields.iter().map(|field| &field.ident).collect();
            let pattern = pattern(own, &fields);
            quote_spanned! {at_site(at)=>
                #decode_event(payload).map(|#read { #(#fields),* }: #read| Self::#name #pattern)
            }
        }
    };
    quote_spanned! {at_site(at)=>
        if event_type == #event_type {
            return #read;
        }
    }
}

/// Variants around events are checked as these.
fn delegated_check(union: &Union) -> TokenStream {
    let Runtime {
        event_set,
        check_result,
        ..
    } = union.krate.at(union.name.span());
    let arms: Vec<_> = union
        .variants
        .iter()
        .filter_map(|variant| match &variant.body {
            Body::Newtype(inner) => Some((&variant.name, inner)),
            Body::Own(_) => None,
        })
        .map(|(name, inner)| quote!(Self::#name(event) => <#inner as #event_set>::check(event),))
        .collect();
    if arms.is_empty() {
        return TokenStream::new();
    }
    let others =
        (arms.len() < union.variants.len()).then(|| quote!(_ => ::core::result::Result::Ok(()),));
    quote! {
        fn check(&self) -> #check_result<()> {
            match self { #(#arms)* #others }
        }
    }
}

/// Compile-time checks for types that stand elsewhere: those of variants around events.
fn distinct(union: &Union) -> TokenStream {
    let Union {
        variants, krate, ..
    } = union;
    let mut checks: TokenStream = variants
        .iter()
        .map(|variant| one_type(variant, krate))
        .collect();
    for (at, one) in variants.iter().enumerate() {
        for two in &variants[at + 1..] {
            if let (Body::Own(_), Body::Own(_)) = (&one.body, &two.body) {
                continue;
            }
            let (a, b) = (event_type(one, krate), event_type(two, krate));
            let span = two.name.span();
            let holds = krate.at(span).holds;
            let message = format!(
                "`{}` and `{}` have one event type; give each its own",
                unraw(&two.name),
                unraw(&one.name)
            );
            checks.extend(quote_spanned! {at_site(span)=>
                const _: () = ::core::assert!(!#holds(&[#a], &[&[#b]]), #message);
            });
        }
    }
    checks
}

/// A variant wraps one event, not another union.
fn one_type(variant: &Variant, krate: &Krate) -> TokenStream {
    let Body::Newtype(inner) = &variant.body else {
        return TokenStream::new();
    };
    let at = span_of(inner);
    let event_set = krate.at(at).event_set;
    let message = format!(
        "`{}` wraps a union of events; list its events here instead",
        unraw(&variant.name)
    );
    quote_spanned! {at_site(at)=>
        const _: () = ::core::assert!(<#inner as #event_set>::TYPES.len() == 1, #message);
    }
}

fn helper(union: &Union, variant: &Variant) -> Option<TokenStream> {
    let Body::Own(own) = &variant.body else {
        return None;
    };
    let Union {
        name: union_name,
        vis,
        krate,
        ..
    } = union;
    let name = &variant.name;
    let at = name.span();
    let Runtime {
        publish,
        publish_builder,
        ..
    } = krate.at(at);
    let helper = publish_fn(name);
    let docs = format!(
        "Publishes an [`{0}::{1}`]; await what it returns.",
        unraw(union_name),
        unraw(name)
    );
    let arguments = own.fields.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        quote!(#name: #ty)
    });
    let fields: Vec<_> = own.fields.iter().map(|field| &field.ident).collect();
    let pattern = pattern(own, &fields);
    Some(quote_spanned! {at_site(at)=>
        #[doc = #docs]
        #[allow(dead_code, clippy::too_many_arguments)]
        #vis fn #helper(#(#arguments),*) -> #publish_builder {
            #publish(&#union_name::#name #pattern)
        }
    })
}
