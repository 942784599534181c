//! What a `race!` becomes: its arms as futures side by side, each with a scope of its own, and then the winner's handler.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::Token;

use super::{
    key::text_at,
    race::Arm,
    site::{Site, ends},
};
use crate::names::{Runtime, at_site};

/// The names that belong to one arm.
struct Names {
    index: Literal,
    /// Where its future is written, which errors about its type concern.
    at: Span,
    output: Ident,
    scope: Ident,
    future: Ident,
    contender: Ident,
}

impl Names {
    fn new(index: usize, arm: &Arm) -> Self {
        let at = at_site(ends(&arm.future).0);
        Self {
            index: Literal::usize_suffixed(index),
            at,
            output: format_ident!("__belts_output_{index}", span = at),
            scope: format_ident!("__belts_scope_{index}", span = at),
            future: format_ident!("__belts_future_{index}", span = at),
            contender: format_ident!("__belts_contender_{index}", span = at),
        }
    }
}

pub(super) fn race(site: &Site<'_>, moves: Option<Token![move]>, arms: &[Arm]) -> TokenStream {
    let Site {
        mark,
        here,
        key,
        location,
        names,
    } = site;
    let Runtime {
        scope,
        race,
        racing,
        caught,
        ..
    } = names;
    let (cx, span) = (&mark.cx, at_site(*here));
    let all: Vec<Names> = (0..)
        .zip(arms)
        .map(|(index, arm)| Names::new(index, arm))
        .collect();
    let texts = arms.iter().map(|arm| text_at(&arm.text(), arm.name.span()));
    let outputs = all.iter().map(|Names { output, at, .. }| {
        quote_spanned!(*at=> let mut #output = ::core::option::Option::None;)
    });
    let begun = all
        .iter()
        .zip(arms)
        .map(|(names, arm)| begin(site, names, arm));
    let contenders = all.iter().map(|names| &names.contender);
    let handlers = (1..)
        .zip(all.iter().zip(arms))
        .map(|(nth, (names, arm))| handler(site, names, arm, nth == arms.len()));
    // The handlers are in a block of their own, which `?` leaves with any error.
    quote_spanned! {span=>
        let __belts_racing = #scope::race(#cx, #key, &#location, &[#(#texts),*]);
        async #moves {
            let __belts_race = #racing::begin(__belts_racing).await;
            let __belts_handled: ::core::result::Result<_, #caught> = async {
                #(#outputs)*
                let __belts_winner = {
                    #(#begun)*
                    #race::winner(&__belts_race, &mut [#(#contenders),*]).await
                };
                ::core::result::Result::Ok(match __belts_winner { #(#handlers)* })
            }
            .await;
            #race::finish(__belts_handled)
        }
    }
}

/// An arm's future, pinned beside the others. Its scope takes the name of the one around it, which blocks borrow.
fn begin(site: &Site<'_>, names: &Names, arm: &Arm) -> TokenStream {
    let Names {
        index,
        at,
        output,
        scope,
        future,
        contender,
    } = names;
    let (cx, is_one_step, expr) = (&site.mark.cx, arm.is_one_step(), &arm.future);
    let Runtime {
        race,
        contender: of_arm,
        contend,
        ended,
        via_any_error,
        via_no_error,
        via_own_error,
        ..
    } = site.mark.krate.at(*at);
    quote_spanned! {*at=>
        let #scope = #race::arm(&__belts_race, #index, #is_one_step);
        #[allow(unused_variables)]
        let #cx = &#scope;
        let #future = ::core::pin::pin!(if #race::plays(&__belts_race, #index) {
            ::core::option::Option::Some(#expr)
        } else {
            ::core::option::Option::None
        });
        let #contender: &mut (dyn #contend + '_) = &mut #of_arm::new(#future, &mut #output, |__belts_ended| {
            #[allow(unused_imports)]
            use #via_own_error as _;
            #[allow(unused_imports)]
            use #via_any_error as _;
            #[allow(unused_imports)]
            use #via_no_error as _;
            (&&#ended(__belts_ended)).__belts_failure()
        });
    }
}

/// What the race comes to if this arm has won.
fn handler(site: &Site<'_>, names: &Names, arm: &Arm, is_last: bool) -> TokenStream {
    let Names {
        index, at, output, ..
    } = names;
    let Arm { name, handler, .. } = arm;
    let race = site.mark.krate.at(*at).race;
    let pattern = if is_last {
        quote_spanned!(*at=> _)
    } else {
        quote_spanned!(*at=> #index)
    };
    quote_spanned! {*at=>
        #pattern => {
            let #name = #race::outcome(#output);
            let _ = &#name;
            #handler
        }
    }
}
