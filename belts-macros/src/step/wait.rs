//! What a `wait!` waits for, and its options.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Expr, Lit, Type};

use super::key::Key;
use crate::{
    diag::Errors,
    names::Krate,
    option::{Given, Opt, ungrouped},
};

/// The options of a wait, of which each that is left out has a method of its own.
pub(crate) struct WaitOptions {
    pub(crate) key: Option<Expr>,
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) when: Option<Expr>,
    pub(crate) since: Option<Since>,
}

/// Where a wait begins to look.
pub(crate) enum Since {
    Start,
    Now,
    Ago(TokenStream),
}

impl WaitOptions {
    pub(super) fn new(mut given: Given, krate: &Krate, errors: &mut Errors) -> Self {
        Self {
            key: given.take("key").map(|opt| opt.value),
            timeout: given.take("timeout").map(|opt| opt.duration(krate, errors)),
            when: given.take("when").map(|opt| opt.value),
            since: given.take("since").map(|opt| since(opt, krate, errors)),
        }
    }
}

fn since(opt: Opt, krate: &Krate, errors: &mut Errors) -> Since {
    let text = match ungrouped(&opt.value) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => text.value(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    match text.as_str() {
        "start" => Since::Start,
        "now" => Since::Now,
        _ => Since::Ago(opt.duration(krate, errors)),
    }
}

/// What a wait waits for: a type, and no value of it.
pub(super) fn event_type(key: &Key, expr: &Expr, errors: &mut Errors) -> Option<Type> {
    if let Expr::Path(path) = ungrouped(expr)
        && let Ok(event) = syn::parse2(path.to_token_stream())
    {
        return Some(event);
    }
    let message = format!(
        "`wait!` takes the type of the event: `wait!({}, OrderPaid, key = &order.order_id)`",
        key.literal.token()
    );
    errors.at(expr, message);
    None
}
