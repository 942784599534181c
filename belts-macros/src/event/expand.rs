//! What a struct becomes: `Event`, `EventSet`, its registration and its publish helper.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{GenericArgument, Path, PathArguments, Type, spanned::Spanned as _};

use super::model::Event;
use crate::{
    names::{Krate, Runtime, at_site, local, publish_fn, unraw},
    step::options::optional,
};

pub(crate) fn expand(event: &Event) -> TokenStream {
    let Event {
        name,
        literal: event_type,
        krate,
        allow,
        ..
    } = event;
    let at = name.span();
    let Runtime {
        event: event_trait,
        event_set,
        check_result,
        encoded_event,
        encode_own,
        decode_own,
        ..
    } = krate.at(at);
    let key = correlation_key(event);
    let key_type = key_type(event.key_type.as_ref(), krate, at);
    let check = event.validate.as_ref().map(|path| check(path, event));
    let (by_type, payload) = (local("type", at), local("payload", at));
    let register = register(
        &quote!(<#name as #event_set>::TYPES),
        &quote!(#name),
        at,
        krate,
    );
    let helper = helper(event);
    quote_spanned! {at_site(at)=>
        #allow
        const _: () = {
            #[automatically_derived]
            impl #event_trait for #name {
                const TYPE: &'static str = #event_type;
            }
            #[automatically_derived]
            impl #event_set for #name {
                type Key = #key_type;
                const TYPES: &'static [&'static str] = &[#event_type];
                fn encode(&self) -> #check_result<#encoded_event> {
                    #encode_own(self, #key)
                }
                fn decode(#by_type: &str, #payload: &[u8]) -> #check_result<Self> {
                    #decode_own(#by_type, #payload)
                }
                #check
            }
            #register
        };
        #helper
    }
}

/// The type of a correlation key; of an `Option`, what is in it: an event without one matches no wait.
pub(super) fn key_type(key: Option<&Type>, krate: &Krate, at: Span) -> TokenStream {
    let keys = krate.at(at).event_keys;
    let Some(key) = key else {
        return quote!(#keys::NoKey);
    };
    let inside = inside_option(key).unwrap_or(key);
    quote!(#keys::Key<#inside>)
}

fn inside_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inside) => Some(inside),
        _ => None,
    }
}

fn correlation_key(event: &Event) -> TokenStream {
    let Some(key) = &event.key else {
        return optional(None);
    };
    let path = event.krate.at(key.span()).correlation_key;
    quote_spanned!(at_site(key.span())=> #path(&self.#key))
}

/// `EventSet::check` by the user's function.
fn check(validate: &Path, event: &Event) -> TokenStream {
    let at = validate.span();
    let check_result = event.krate.at(at).check_result;
    let asked = asked(validate, &event.literal, &event.krate);
    quote_spanned! {at_site(at)=>
        fn check(&self) -> #check_result<()> { #asked }
    }
}

/// The verdict of the user's function on `self`, which is an event of this type.
pub(super) fn asked(validate: &Path, event_type: &impl ToTokens, krate: &Krate) -> TokenStream {
    let at = validate.span();
    let invalid = krate.at(at).invalid;
    let (checked, reason) = (local("checked", at), local("reason", at));
    quote_spanned! {at_site(at)=>
        let #checked: ::core::result::Result<(), _> = #validate(self);
        #checked.map_err(|#reason| #invalid(#event_type, #reason))
    }
}

/// What link-time registration collects.
pub(super) fn register(
    types: &TokenStream,
    event: &TokenStream,
    at: Span,
    krate: &Krate,
) -> TokenStream {
    let names = krate.at(at);
    let location = names.here(at);
    let Runtime {
        submit,
        event_entry,
        check,
        ..
    } = &names;
    quote_spanned! {at_site(at)=>
        #submit! {
            #event_entry {
                types: #types,
                check: #check::<#event>,
                location: #location,
                package: ::core::env!("CARGO_PKG_NAME"),
            }
        }
    }
}

fn helper(event: &Event) -> TokenStream {
    let Event {
        name,
        vis,
        krate,
        deprecated,
        allow,
        ..
    } = event;
    let at = name.span();
    let argument = local("event", at);
    let Runtime {
        publish,
        publish_builder,
        ..
    } = krate.at(at);
    let helper = publish_fn(name);
    let docs = format!("Publishes an [`{}`]; await what it returns.", unraw(name));
    quote_spanned! {at_site(at)=>
        #[doc = #docs]
        #deprecated
        #allow
        #[allow(dead_code, clippy::needless_pass_by_value)]
        #vis fn #helper(#argument: #name) -> #publish_builder {
            #publish(&#argument)
        }
    }
}
