//! What an enum becomes: an `EventSet` of its variants' types, with a publish helper for each variant of its own.
//!
//! A variant with fields is written and read as a private struct of these fields, so the enum itself needs
//! no serde impls, and attributes on its fields still take effect.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Path, spanned::Spanned as _};

use super::{
    expand::{asked, key_type, register},
    model::{Body, Own, Union, Variant, span_of, type_of},
    shadow::{SERDE, shadow, shadow_names},
};
use crate::{
    names::{Krate, Runtime, at_site, local, unraw},
    step::options::optional,
};

pub(crate) fn expand(union: &Union) -> TokenStream {
    let Union {
        name,
        variants,
        krate,
        allow,
        ..
    } = union;
    let at = name.span();
    let Runtime {
        event_set,
        check_result,
        encoded_event,
        serde,
        unknown_type,
        ..
    } = krate.at(at);
    let types = variants.iter().map(|variant| event_type(variant, krate));
    let key_types = key_types(variants, krate, at);
    let shadows = variants.iter().map(|variant| shadow(variant, krate));
    let encoders = variants.iter().map(|variant| encode(variant, krate));
    let decoders = variants.iter().map(|variant| decode(variant, krate));
    let check = check(union);
    let (by_type, payload) = (local("type", at), local("payload", at));
    let own: Vec<_> = variants
        .iter()
        .filter(|variant| matches!(variant.body, Body::Own(_)))
        .collect();
    let own_types = own.iter().map(|variant| event_type(variant, krate));
    let register =
        (!own.is_empty()).then(|| register(&quote!(&[#(#own_types),*]), &quote!(#name), at, krate));
    let distinct = distinct(union);
    // By a name, as serde's derives read a path from a string, which cannot express every path.
    let serde_name = Ident::new(SERDE, at_site(at));
    let helpers = variants.iter().map(|variant| helper(union, variant));
    quote_spanned! {at_site(at)=>
        #allow
        const _: () = {
            #[allow(unused_imports)]
            use #serde as #serde_name;
            #(#shadows)*
            #[automatically_derived]
            impl #event_set for #name {
                type Key = #key_types;
                const TYPES: &'static [&'static str] = &[#(#types),*];
                fn encode(&self) -> #check_result<#encoded_event> {
                    match self { #(#encoders)* }
                }
                fn decode(#by_type: &str, #payload: &[u8]) -> #check_result<Self> {
                    #(#decoders)*
                    ::core::result::Result::Err(#unknown_type(#by_type, <Self as #event_set>::TYPES))
                }
                #check
            }
            #register
            #distinct
        };
        #(#helpers)*
    }
}

/// `Both<A, Both<B, C>>`.
fn key_types(variants: &[Variant], krate: &Krate, at: Span) -> TokenStream {
    let keys = krate.at(at).event_keys;
    let one = |variant: &Variant| match &variant.body {
        Body::Newtype(inner) => {
            let event_set = krate.at(span_of(inner)).event_set;
            quote!(<#inner as #event_set>::Key)
        }
        Body::Own(own) => key_type(type_of(own.key.as_ref(), &own.fields).as_ref(), krate, at),
    };
    let all = variants.iter().rev().map(one);
    all.reduce(|rest, first| quote!(#keys::Both<#first, #rest>))
        .unwrap_or_else(|| quote!(#keys::NoKey))
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
            let event = local("event", at);
            return quote_spanned!(at_site(at)=> Self::#name(#event) => <#inner as #event_set>::encode(#event),);
        }
        Body::Own(own) => own,
    };
    let (write, _) = shadow_names(variant);
    let event_type = &own.event_type;
    let key = own.fields.iter().zip(bindings(own, at));
    let key = key
        .filter(|(field, _)| field.ident.as_ref().map(unraw) == own.key.as_ref().map(unraw))
        .map(|(_, binding)| quote_spanned!(at_site(at)=> #correlation_key(#binding)));
    let key = match &own.key {
        Some(_) => key.collect(),
        None => optional(None),
    };
    let fields = bound(own, at);
    let pattern = pattern(own, &fields);
    quote_spanned! {at_site(at)=>
        Self::#name #pattern => #encode_event(#event_type, &#write { #fields }, #key),
    }
}

/// Names for the fields that cannot clash with the user's constants.
fn bindings(own: &Own, at: Span) -> impl Iterator<Item = Ident> {
    (0..own.fields.len()).map(move |index| local(&format!("field_{index}"), at))
}

/// `a: __belts_field_0, b: __belts_field_1`, as a pattern and as an expression.
fn bound(own: &Own, at: Span) -> TokenStream {
    let fields = own.fields.iter().zip(bindings(own, at));
    fields
        .map(|(field, binding)| {
            let name = &field.ident;
            quote!(#name: #binding,)
        })
        .collect()
}

/// ` { fields }`, or nothing for a unit variant.
fn pattern(own: &Own, fields: &TokenStream) -> TokenStream {
    if own.unit {
        TokenStream::new()
    } else {
        quote!({ #fields })
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
    let (by_type, payload) = (local("type", at), local("payload", at));
    let read = match &variant.body {
        Body::Newtype(inner) => quote_spanned! {at_site(at)=>
            <#inner as #event_set>::decode(#by_type, #payload).map(Self::#name)
        },
        Body::Own(own) => {
            let (_, read) = shadow_names(variant);
            let fields = bound(own, at);
            let pattern = pattern(own, &fields);
            quote_spanned! {at_site(at)=>
                #decode_event(#payload).map(|#read { #fields }: #read| Self::#name #pattern)
            }
        }
    };
    quote_spanned! {at_site(at)=>
        if #by_type == #event_type {
            return #read;
        }
    }
}

/// `EventSet::check`: variants that wrap events are checked as those events, then all variants by the user's function.
fn check(union: &Union) -> TokenStream {
    let at = union.name.span();
    let check_result = union.krate.at(at).check_result;
    let around = union
        .variants
        .iter()
        .any(|variant| matches!(variant.body, Body::Newtype(_)));
    let within = around.then(|| check_within(union));
    let checked = match &union.validate {
        Some(validate) => {
            let within = within.map(|within| quote!(#within?;));
            let asked = asked(validate, &type_of_self(union, validate), &union.krate);
            quote!(#within #asked)
        }
        None if around => within.to_token_stream(),
        None => return TokenStream::new(),
    };
    quote_spanned! {at_site(at)=>
        fn check(&self) -> #check_result<()> { #checked }
    }
}

fn check_within(union: &Union) -> TokenStream {
    let at = union.name.span();
    let event_set = union.krate.at(at).event_set;
    let event = local("event", at);
    let arms: Vec<_> = union
        .variants
        .iter()
        .filter_map(|variant| match &variant.body {
            Body::Newtype(inner) => Some((&variant.name, inner)),
            Body::Own(_) => None,
        })
        .map(|(name, inner)| quote!(Self::#name(#event) => <#inner as #event_set>::check(#event),))
        .collect();
    let others =
        (arms.len() < union.variants.len()).then(|| quote!(_ => ::core::result::Result::Ok(()),));
    quote_spanned!(at_site(at)=> match self { #(#arms)* #others })
}

/// The event type of `self`.
fn type_of_self(union: &Union, validate: &Path) -> TokenStream {
    let arms = union.variants.iter().map(|variant| {
        let (name, event_type) = (&variant.name, event_type(variant, &union.krate));
        quote!(Self::#name { .. } => #event_type,)
    });
    quote_spanned!(at_site(validate.span())=> match self { #(#arms)* })
}

/// Compile-time checks for types defined elsewhere: those of variants that wrap events.
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
                "`{}` and `{}` have the same event type; give each its own",
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
        allow,
        ..
    } = union;
    let (name, helper, deprecated) = (&variant.name, own.helper.as_ref()?, &own.deprecated);
    let at = name.span();
    let Runtime {
        publish,
        publish_builder,
        ..
    } = krate.at(at);
    let docs = format!(
        "Publishes an [`{0}::{1}`]; await what it returns.",
        unraw(union_name),
        unraw(name)
    );
    // With the names that the user gave them, which docs and editors show.
    let arguments = own.fields.iter().map(|field| {
        let (name, ty) = (&field.ident, &field.ty);
        quote!(#name: #ty)
    });
    let fields = own.fields.iter().map(|field| &field.ident);
    let pattern = pattern(own, &quote!(#(#fields),*));
    Some(quote_spanned! {at_site(at)=>
        #[doc = #docs]
        #deprecated
        #allow
        #[allow(dead_code, clippy::too_many_arguments)]
        #vis fn #helper(#(#arguments),*) -> #publish_builder {
            #publish(&#union_name::#name #pattern)
        }
    })
}
