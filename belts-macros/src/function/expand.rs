//! What a function becomes: a fn of the same name that returns a call, with the user's fn and its registration inside.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Attribute, Expr, Ident, Pat, PatIdent, PatType, Visibility, spanned::Spanned as _};

use super::{
    cancel_on::cancel_on,
    flow_expand,
    groups::group,
    handled,
    instrument::skipping,
    mark::{KeyUse, Marked, mark},
    model::{Function, Options},
    parse::split_inner_attributes,
    ticks,
};
use crate::{
    names::{self, Krate, Runtime, at_site, spelled},
    step::{Macro, options::optional},
};

pub(crate) fn expand(function: &Function) -> TokenStream {
    let Function {
        outer,
        vis,
        name,
        event,
        output,
        krate,
        ..
    } = function;
    let at = name.span();
    let Runtime {
        submit,
        function_entry,
        ..
    } = krate.at(at);
    let lend = lend(function);
    let marked = with_scope(function.body.clone(), &lend, krate);
    let definition = definition(function, &marked);
    let check = if !function.on_failure.is_empty() {
        handled::all(function)
    } else if function.on.is_empty() {
        ticks::fits(function)
    } else {
        on_fits(function)
    };
    let registered = quote_spanned! {at_site(at)=>
        #definition
        #submit! { #function_entry(&__BELTS_DEFINITION) }
        #check
    };
    let head = Head {
        outer,
        vis,
        name,
        event,
        output,
        krate,
    };
    let definition = quote_spanned!(at_site(at)=> __BELTS_DEFINITION);
    head.with(&the_fn(function, &marked.body), &registered, &definition)
}

/// What others see of a function.
pub(super) struct Head<'a> {
    pub(super) outer: &'a [Attribute],
    pub(super) vis: &'a Visibility,
    pub(super) name: &'a Ident,
    pub(super) event: &'a PatType,
    pub(super) output: &'a TokenStream,
    pub(super) krate: &'a Krate,
}

impl Head<'_> {
    /// The fn that returns calls, with the user's fn and other items inside it.
    pub(super) fn with(
        &self,
        the_fn: &TokenStream,
        items: &TokenStream,
        definition: &TokenStream,
    ) -> TokenStream {
        let Self {
            outer,
            vis,
            name,
            event,
            output,
            krate,
        } = self;
        let at = name.span();
        let Runtime {
            function_def,
            call,
            definition: definition_trait,
            make_call,
            ..
        } = krate.at(at);
        let (event_type, argument) = (&event.ty, argument(&event.pat));
        let handle = handle(name);
        let body = quote_spanned! {at_site(at)=>
            {
                struct #handle;
                impl #handle { #the_fn }
                #items
                impl #definition_trait for #handle {
                    const DEFINITION: &'static #function_def = &#definition;
                }
                #make_call(#argument, #handle)
            }
        };
        quote_spanned! {at_site(at)=>
            #(#outer)*
            #[allow(dead_code, clippy::used_underscore_binding)]
            #vis fn #name(#argument: #event_type) -> #call<#event_type, #output, impl #definition_trait> #body
        }
    }
}

/// The expanded body, after a statement that creates its scope.
pub(super) fn with_scope(body: TokenStream, scope: &TokenStream, krate: &Krate) -> Marked {
    let (attributes, body) = split_inner_attributes(body);
    let marked = mark(body, krate);
    let body = group(marked.body, krate);
    Marked {
        body: quote!(#attributes #scope #body),
        ..marked
    }
}

/// The statement that lends a function's body its scope.
fn lend(function: &Function) -> TokenStream {
    let at = function.name.span();
    let (cx, hidden) = (names::cx(at), names::scope(at));
    quote_spanned!(at_site(at)=> let #cx = &#hidden;)
}

/// What the name refers to inside the fn of that name.
fn handle(name: &Ident) -> Ident {
    Ident::new("__BeltsFunction", at_site(name.span()))
}

/// The event's name in the signature that others see. The attribute's own expressions stand inside, and do not mean it.
fn argument(pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(PatIdent {
            ident,
            subpat: None,
            ..
        }) => {
            let mut hidden = ident.clone();
            hidden.set_span(at_site(ident.span()));
            hidden
        }
        other => Ident::new("__belts_event", at_site(other.span())),
    }
}

/// The user's fn under its own name, as an associated fn, so that its name inside the body still is the handle.
fn the_fn(function: &Function, body: &TokenStream) -> TokenStream {
    let Function {
        inner,
        name,
        event,
        others,
        output,
        krate,
        ..
    } = function;
    let at = name.span();
    let (hidden, scope) = (names::scope(at), krate.at(at).scope);
    let inner = skipping(inner);
    quote! {
        #(#inner)*
        #[allow(clippy::unused_async, clippy::needless_pass_by_value, clippy::used_underscore_binding)]
        async fn #name(#event, #(#others,)* #hidden: #scope) -> #output { #body }
    }
}

/// Reads the event, calls the fn and writes its output.
///
/// It shares one body with everything else that depends on the types of event and output, so that rustc reports them once.
fn start(function: &Function) -> TokenStream {
    let Function {
        name,
        event,
        others,
        output,
        krate,
        ..
    } = function;
    let at = name.span();
    let names = krate.at(at);
    let (scope, event_type) = (&names.invocation, &event.ty);
    let others = others.iter().map(|other| {
        let (at, ty) = (other.ty.span(), &other.ty);
        let argument = krate.at(at).argument;
        quote_spanned!(at_site(at)=> <#ty as #argument>::of(&__belts_run)?)
    });
    let read = krate.at(event_type.span()).invocation;
    let event =
        quote_spanned!(at_site(event_type.span())=> #read::event::<#event_type>(&__belts_run)?);
    let handle = handle(name);
    let called = quote_spanned! {at_site(at)=>
        #handle::#name(__belts_event, #(#others,)* #scope::scope(&__belts_run)).await
    };
    let Runtime {
        finish, returned, ..
    } = krate.at(output.span());
    let finished = quote_spanned! {at_site(output.span())=>
        {
            let __belts_output = #returned::into_result(__belts_output);
            #finish(__belts_output)
        }
    };
    quote_spanned! {at_site(at)=>
        |__belts_run| ::std::boxed::Box::pin(async move {
            let __belts_event = #event;
            let __belts_output = #called;
            #finished
        })
    }
}

/// What link-time registration collects.
fn definition(function: &Function, marked: &Marked) -> TokenStream {
    let Function {
        name,
        event,
        id,
        on,
        on_failure,
        handles_cancels,
        when,
        krate,
        ..
    } = function;
    let at = name.span();
    let names = krate.at(at);
    let location = names.here(at);
    let Runtime { function_def, .. } = &names;
    let event_type = &event.ty;
    let check = check(event_type, krate);
    let start = start(function);
    let options = options(&function.options, &names);
    let needs = needs(&function.others, krate);
    let events = on.iter().map(|event| {
        let event_set = krate.at(event.span()).event_set;
        quote_spanned!(at_site(event.span())=> <#event as #event_set>::TYPES)
    });
    let told = on.is_empty().then(|| {
        let event_set = krate.at(event_type.span()).event_set;
        quote_spanned!(at_site(event_type.span())=> <#event_type as #event_set>::TYPES)
    });
    let events = events.chain(told);
    let handled = if on_failure.is_empty() {
        quote!(&[])
    } else {
        quote_spanned!(at_site(at)=> __BELTS_HANDLED)
    };
    let cancel_on = cancel_on(function);
    let schedule = ticks::definition(function);
    let flow = flow_expand::definition(function);
    let accepts = optional(when.as_ref().map(|filter| accepts(filter, function)));
    let keys = marked.keys.iter().map(|key| key_def(key, &names));
    let arms = arm_keys(&marked.arms, &names);
    let helpers = &marked.helpers;
    quote_spanned! {at_site(at)=>
        static __BELTS_DEFINITION: #function_def = #function_def {
            id: #id,
            events: &[#(#events),*],
            keys: &[#(#keys),*],
            arms: &[#(#arms),*],
            helpers: &[#(#helpers),*],
            options: || #options,
            accepts: #accepts,
            check: #check,
            cancel_on: #cancel_on,
            on_failure: #handled,
            handles_cancels: #handles_cancels,
            schedule: #schedule,
            flow: #flow,
            needs: &[#(#needs),*],
            start: #start,
            location: #location,
            package: ::core::env!("CARGO_PKG_NAME"),
            version: ::core::env!("CARGO_PKG_VERSION"),
        };
    }
}

/// What each argument after the event needs of the worker, written as in [`start`], so that rustc reports it once.
fn needs<'a>(
    others: &'a [PatType],
    krate: &'a Krate,
) -> impl Iterator<Item = TokenStream> + use<'a> {
    others.iter().map(|other| {
        let (at, ty) = (other.ty.span(), &other.ty);
        let argument = krate.at(at).argument;
        quote_spanned!(at_site(at)=> <#ty as #argument>::need)
    })
}

pub(super) fn key_def(key: &KeyUse, names: &Runtime) -> TokenStream {
    let Runtime {
        key_def,
        transaction_kind,
        ..
    } = names;
    let KeyUse {
        which,
        pattern,
        is_async,
        helper,
    } = key;
    let kind = match which {
        Macro::Step => quote!(Step),
        Macro::Sleep | Macro::SleepUntil => quote!(Sleep),
        Macro::Wait => quote!(Wait),
        Macro::Callback => quote!(Callback),
        Macro::Call => quote!(Call),
        Macro::Start => quote!(Start),
        Macro::Race => quote!(Race),
        Macro::Scope => return quote!(#key_def::Scope(#pattern, #helper)),
        Macro::Transaction => {
            let of = if *is_async {
                quote!(Postgres)
            } else {
                quote!(Sqlite)
            };
            return quote!(#key_def::Transaction(#pattern, #transaction_kind::#of));
        }
    };
    quote!(#key_def::#kind(#pattern))
}

/// The keys in the arms of races, with what they are under.
pub(super) fn arm_keys(
    arms: &[(Vec<String>, KeyUse)],
    names: &Runtime,
) -> impl Iterator<Item = TokenStream> {
    arms.iter().map(|(under, key)| {
        let (arm_key, key) = (&names.arm_key, key_def(key, names));
        quote!(#arm_key { under: &[#(#under),*], key: #key })
    })
}

/// Whether a received event fits and is valid, and its correlation key.
fn check(event: &syn::Type, krate: &Krate) -> TokenStream {
    let at = event.span();
    let event_set = krate.at(at).event_set;
    // Not through a generic function: rustc would report once more that a type is not an event.
    quote_spanned! {at_site(at)=>
        |__belts_type, __belts_payload| {
            let __belts_event = <#event as #event_set>::decode(__belts_type, __belts_payload)?;
            <#event as #event_set>::check(&__belts_event)?;
            ::core::result::Result::Ok(<#event as #event_set>::encode(&__belts_event)?.correlation_key)
        }
    }
}

fn accepts(filter: &Expr, function: &Function) -> TokenStream {
    let at = filter.span();
    let accepts = function.krate.at(at).accepts;
    let event = flow_expand::event_type(function);
    quote_spanned!(at_site(at)=> |__belts_type, __belts_payload| #accepts::<#event>(__belts_type, __belts_payload, #filter))
}

fn options(options: &Options, names: &Runtime) -> TokenStream {
    let Options {
        retries,
        backoff,
        timeout,
        start_within,
        finish_within,
        concurrency,
        max_steps,
        per_step,
        finishes_steps,
    } = options;
    let [retries, backoff, timeout, concurrency, max_steps] =
        [retries, backoff, timeout, concurrency, max_steps].map(|option| optional(option.clone()));
    let [start_within, finish_within] =
        [start_within, finish_within].map(|option| optional(option.clone()));
    let Runtime {
        function_options,
        continuation,
        on_cancel,
        ..
    } = names;
    let on_cancel = if *finishes_steps {
        quote!(#on_cancel::Finish)
    } else {
        quote!(#on_cancel::Drop)
    };
    let continuation = if *per_step {
        quote!(#continuation::PerStep)
    } else {
        quote!(#continuation::Inline)
    };
    quote! {
        #function_options {
            retries: #retries,
            backoff: #backoff,
            timeout: #timeout,
            start_within: #start_within,
            finish_within: #finish_within,
            concurrency: #concurrency,
            max_steps: #max_steps,
            continuation: #continuation,
            on_cancel: #on_cancel,
        }
    }
}

/// A compile-time check that the parameter includes every event of `on`.
fn on_fits(function: &Function) -> TokenStream {
    let Function {
        name,
        event,
        on,
        krate,
        ..
    } = function;
    let event_type = &event.ty;
    let at = event_type.span();
    let Runtime {
        holds, event_set, ..
    } = krate.at(at);
    let listed: Vec<String> = on
        .iter()
        .map(|event| spelled(&event.to_token_stream()))
        .collect();
    let taken = spelled(&event_type.to_token_stream());
    let message = match listed.as_slice() {
        [one] => format!(
            "`{name}` is started by `on = {one}` but takes `{taken}`; take `{one}`, or an enum that includes it"
        ),
        several => format!(
            "`{name}` is started by `on = [{}]` but takes `{taken}`, which does not include all of them; \
             take an enum of events that does",
            several.join(", ")
        ),
    };
    quote_spanned! {at_site(at)=>
        const _: () = ::core::assert!(
            #holds(<#event_type as #event_set>::TYPES, &[#(<#on as #event_set>::TYPES),*]),
            #message
        );
    }
}
