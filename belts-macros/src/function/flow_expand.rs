//! What the flow options of a function become: a fn that says what they make of an event.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, spanned::Spanned as _};

use super::{
    flow::{Batch, Debounce, Flow, Key, Lane, Once, Rate, Singleton},
    model::Function,
};
use crate::{
    names::{Runtime, at_site, local},
    step::options::optional,
};

/// What the definition says of the flow.
pub(super) fn definition(function: &Function) -> TokenStream {
    let Function {
        name, flow, krate, ..
    } = function;
    if flow.is_nothing() {
        return optional(None);
    }
    let at = name.span();
    let Runtime {
        flow_def,
        flow_lane_def,
        flow_new,
        flow_first,
        event_set,
        ..
    } = krate.at(at);
    let expand = Expand { function };
    let (event_type, taken) = (event_type(function), &function.event.ty);
    let (event, whole) = (local("event", at), local("whole", at));
    let options = expand.options(flow, &event, &whole);
    let read = if flow.batch.is_some() {
        quote_spanned!(at_site(at)=> #flow_first::<#taken>(__belts_type, __belts_payload)?)
    } else {
        quote_spanned! {at_site(at)=>
            (<#event_type as #event_set>::decode(__belts_type, __belts_payload)?, false)
        }
    };
    let lanes = flow.lanes.iter().map(|lane| {
        let (limit, shared) = (&lane.limit, &lane.shared);
        let shared = optional(shared.as_ref().map(|name| quote!(#name)));
        let label = lane.key.as_ref().map(Key::label).unwrap_or_default();
        quote_spanned!(at_site(lane.at)=> #flow_lane_def { limit: #limit, shared: #shared, label: #label })
    });
    let (is_batch, has_priority) = (flow.batch.is_some(), flow.priority.is_some());
    let is_single = flow.singleton.is_some();
    let by_turns = flow.throttle.is_some() || !flow.lanes.is_empty();
    optional(Some(quote_spanned! {at_site(at)=>
        #flow_def {
            of: |__belts_type, __belts_payload| {
                let (#event, #whole) = #read;
                let _ = (&#event, &#whole);
                ::core::result::Result::Ok(#flow_new::new() #options)
            },
            lanes: || ::std::vec![#(#lanes),*],
            is_batch: #is_batch,
            has_priority: #has_priority,
            is_single: #is_single,
            by_turns: #by_turns,
        }
    }))
}

/// The type of one event: of a function with a batch, that of its items.
pub(super) fn event_type(function: &Function) -> TokenStream {
    let ty = &function.event.ty;
    if function.flow.batch.is_none() {
        return quote!(#ty);
    }
    let at = ty.span();
    let batch_of = function.krate.at(at).flow_batch_of;
    quote_spanned!(at_site(at)=> <#ty as #batch_of>::Event)
}

struct Expand<'a> {
    function: &'a Function,
}

impl Expand<'_> {
    fn options(&self, flow: &Flow, event: &Ident, whole: &Ident) -> TokenStream {
        let lanes = flow.lanes.iter().map(|lane| self.lane(lane, event));
        let throttle = flow.throttle.iter().map(|rate| {
            let rate = self.rate(rate, event, "throttle");
            quote!(.with_throttle(#rate))
        });
        let rate_limit = flow.rate_limit.iter().map(|rate| {
            let rate = self.rate(rate, event, "rate_limit");
            quote!(.with_rate_limit(#rate))
        });
        let debounce = flow.debounce.iter().map(|of| self.debounce(of, event));
        let batch = flow.batch.iter().map(|of| self.batch(of, event, whole));
        let singleton = flow.singleton.iter().map(|of| self.singleton(of, event));
        let idempotent = flow.idempotent.iter().map(|of| self.once(of, event));
        let priority = flow.priority.iter().map(|seconds| {
            let body = self.asks(seconds, event, &quote!(i32));
            quote!(.with_priority(#body))
        });
        quote! {
            #(#lanes)* #(#throttle)* #(#rate_limit)* #(#debounce)* #(#batch)* #(#singleton)* #(#idempotent)* #(#priority)*
        }
    }

    fn lane(&self, lane: &Lane, event: &Ident) -> TokenStream {
        let flow_lane = self.function.krate.at(lane.at).flow_lane;
        let key = self.key(lane.key.as_ref(), event, "concurrency", lane.at);
        let (limit, id) = (&lane.limit, &self.function.id);
        // As `LaneDef` has it.
        let pool = match (&lane.shared, lane.key.as_ref().map(Key::label)) {
            (Some(name), _) => quote!(::core::concat!("shared:", #name)),
            (None, None) => quote!(#id),
            (None, Some(label)) => quote!(::core::concat!(#id, ":", #label)),
        };
        quote_spanned!(at_site(lane.at)=> .with_lane(#flow_lane::new(#pool, #key, #limit)))
    }

    fn rate(&self, rate: &Rate, event: &Ident, option: &str) -> TokenStream {
        let flow_rate = self.function.krate.at(rate.at).flow_rate;
        let key = self.key(rate.key.as_ref(), event, option, rate.at);
        let (limit, per) = (&rate.limit, &rate.per);
        // A rate that skips lets all that it allows come at once.
        let burst = match &rate.burst {
            Some(burst) => quote!(#burst),
            None if option == "rate_limit" => quote!(#limit),
            None => quote!(1),
        };
        quote_spanned!(at_site(rate.at)=> #flow_rate::new(#key, #limit, #per).with_burst(#burst))
    }

    fn debounce(&self, debounce: &Debounce, event: &Ident) -> TokenStream {
        let flow_debounce = self.function.krate.at(debounce.at).flow_debounce;
        let key = self.key(debounce.key.as_ref(), event, "debounce", debounce.at);
        let period = &debounce.period;
        // Without a type `None` would be anything.
        let max = debounce.max.iter().map(|max| quote!(.with_max(#max)));
        quote_spanned! {at_site(debounce.at)=>
            .with_debounce(#flow_debounce::new(#key, #period) #(#max)*)
        }
    }

    fn batch(&self, batch: &Batch, event: &Ident, whole: &Ident) -> TokenStream {
        let flow_batch = self.function.krate.at(batch.at).flow_batch;
        let key = self.key(batch.key.as_ref(), event, "batch", batch.at);
        let (size, within) = (&batch.size, &batch.within);
        quote_spanned! {at_site(batch.at)=>
            .with_batch(if #whole {
                ::core::option::Option::None
            } else {
                ::core::option::Option::Some(#flow_batch::new(#key, #size, #within))
            })
        }
    }

    fn singleton(&self, singleton: &Singleton, event: &Ident) -> TokenStream {
        let Runtime {
            flow_singleton,
            flow_then,
            ..
        } = self.function.krate.at(singleton.at);
        let key = self.key(singleton.key.as_ref(), event, "singleton", singleton.at);
        let then = match singleton.then.as_deref() {
            Some("replace") => format_ident!("Replace"),
            Some("queue") => format_ident!("Queue"),
            _ => format_ident!("Skip"),
        };
        quote_spanned! {at_site(singleton.at)=>
            .with_singleton(#flow_singleton::new(#key, #flow_then::#then))
        }
    }

    fn once(&self, once: &Once, event: &Ident) -> TokenStream {
        let Runtime {
            flow_once,
            duration,
            ..
        } = self.function.krate.at(once.at);
        let key = self.key(once.key.as_ref(), event, "idempotent", once.at);
        let day = quote!(#duration(86_400, 0));
        let within = once.within.clone().unwrap_or(day);
        quote_spanned!(at_site(once.at)=> .with_idempotent(#flow_once::new(#key, #within)))
    }

    /// The key as text; none is the empty one.
    fn key(&self, key: Option<&Key>, event: &Ident, option: &str, at: Span) -> TokenStream {
        let Some(key) = key else {
            return quote_spanned!(at_site(at)=> "");
        };
        let at = key.body.span();
        let Runtime {
            flow_key,
            check_result,
            ..
        } = self.function.krate.at(at);
        let (pattern, body) = (&key.pattern, &key.body);
        let event_type = event_type(self.function);
        let id = &self.function.id;
        // A fn and not a closure: what it reads may be borrowed from the event.
        quote_spanned! {at_site(at)=>
            {
                #[allow(clippy::trivially_copy_pass_by_ref, clippy::needless_borrow, clippy::ref_option)]
                fn __belts_key(__belts_event: &#event_type) -> #check_result<::std::sync::Arc<str>> {
                    let #pattern = __belts_event;
                    #flow_key(#id, #option, &(#body))
                }
                __belts_key(&#event)?
            }
        }
    }

    /// What a closure says of the event, as a value of this type.
    fn asks(&self, asked: &Key, event: &Ident, ty: &TokenStream) -> TokenStream {
        let at = asked.body.span();
        let (pattern, body) = (&asked.pattern, &asked.body);
        let event_type = event_type(self.function);
        quote_spanned! {at_site(at)=>
            {
                #[allow(clippy::trivially_copy_pass_by_ref)]
                fn __belts_asked(__belts_event: &#event_type) -> #ty {
                    let #pattern = __belts_event;
                    #body
                }
                __belts_asked(&#event)
            }
        }
    }
}
