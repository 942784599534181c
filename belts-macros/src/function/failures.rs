//! `on_failure`: what a failure handler says.

use quote::ToTokens as _;
use syn::{Expr, Type};

use crate::{diag::Errors, names::spelled, option::Opt};

/// A failure handler is started by no event; `None` if it says otherwise.
pub(super) fn instead_of_events(
    on: Option<Opt>,
    cancel_on: Option<&Opt>,
    errors: &mut Errors,
) -> Option<Vec<Expr>> {
    let mut none = Some(Vec::new());
    if let Some(on) = on {
        let message = "a function is started either by events or by the failures of others; keep one of `on` and `on_failure`";
        errors.at(&on.key, message);
        none = None;
    }
    if let Some(cancel_on) = cancel_on {
        let message = "no event cancels a failure handler, since the run that it is about has ended; remove `cancel_on`";
        errors.at(&cancel_on.key, message);
        none = None;
    }
    none
}

/// The functions whose failures one handles; events are written in their place by mistake.
pub(super) fn functions(opt: &Opt, errors: &mut Errors) -> Vec<Expr> {
    let functions = opt.paths(errors);
    for function in &functions {
        let name = spelled(&function.to_token_stream());
        let last = name.rsplit("::").next().unwrap_or(&name);
        if last.starts_with(char::is_uppercase) {
            let message = format!(
                "`{name}` is no function; write the name of the function whose failures this one handles, such as \
                 `on_failure = process_order`"
            );
            errors.at(function, message);
        }
    }
    functions
}

/// Whether a failure handler hears of cancels as well; nothing else can.
pub(super) fn handles_cancels(
    cancelled: Option<Opt>,
    is_a_handler: bool,
    errors: &mut Errors,
) -> bool {
    let Some(cancelled) = cancelled else {
        return false;
    };
    if !is_a_handler {
        let message = "only a failure handler hears of cancels: add `on_failure = process_order`, with the function whose failed and \
                       cancelled runs it handles, or remove `cancelled`; to have an event cancel this function's runs, write `cancel_on`";
        errors.at(&cancelled.key, message);
        return false;
    }
    cancelled.flag(errors)
}

pub(super) fn is_failed(event: &Type) -> bool {
    match event {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Failed"),
        _ => false,
    }
}
