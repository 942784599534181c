//! What the user's fn and options mean, resolved for expansion.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{
    Attribute, Expr, FnArg, LitStr, PatType, ReturnType, Safety, Signature, Type, Visibility,
};

use super::{
    failures,
    flow::{self, Flow},
    parse::Item,
    schedule::{self, Schedule},
};
use crate::{
    diag::Errors,
    names::{Krate, spelled, unraw},
    option::{Given, Opt},
};

/// A function.
pub(crate) struct Function {
    /// For the handle: docs, `cfg` and lints.
    pub(crate) outer: Vec<Attribute>,
    /// For the fn itself.
    pub(crate) inner: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) event: PatType,
    /// What it takes besides the event: the context and states.
    pub(crate) others: Vec<PatType>,
    pub(crate) output: TokenStream,
    pub(crate) body: TokenStream,
    pub(crate) id: LitStr,
    pub(crate) on: Vec<Expr>,
    pub(crate) when: Option<Expr>,
    /// The events that cancel its runs; none without the option.
    pub(crate) cancel_on: Vec<Expr>,
    /// The functions whose failures start it, in place of events.
    pub(crate) on_failure: Vec<Expr>,
    /// Whether cancels start it as well.
    pub(crate) handles_cancels: bool,
    /// When the clock starts it, in place of events.
    pub(crate) schedule: Option<Schedule>,
    /// Which of its runs start, and when.
    pub(crate) flow: Flow,
    pub(crate) options: Options,
    pub(crate) krate: Krate,
}

/// Options as expressions of the runtime's types.
pub(crate) struct Options {
    pub(crate) retries: Option<TokenStream>,
    pub(crate) backoff: Option<TokenStream>,
    pub(crate) timeout: Option<TokenStream>,
    pub(crate) start_within: Option<TokenStream>,
    pub(crate) finish_within: Option<TokenStream>,
    pub(crate) concurrency: Option<TokenStream>,
    pub(crate) max_steps: Option<TokenStream>,
    pub(crate) per_step: bool,
    pub(crate) finishes_steps: bool,
}

impl Function {
    /// Every mistake goes to the sink; `None` is returned only if there were some.
    pub(crate) fn build(
        item: &Item,
        mut given: Given,
        krate: Krate,
        errors: &mut Errors,
    ) -> Option<Self> {
        check_signature(&item.sig, errors);
        let arguments = arguments(&item.sig, &given, errors);
        let id = id(given.take("id"), &item.sig.ident, errors);
        let flow = flow::take(&item.sig, &mut given, &krate, errors);
        let is_scheduled = given.has("cron") || given.has("every");
        let schedule = schedule::take(&mut given, &krate, errors);
        let on_failure = given.take("on_failure");
        let cancel_on = given.take("cancel_on");
        let on = match &on_failure {
            _ if is_scheduled => Some(Vec::new()),
            None if schedule::takes_ticks(&item.sig) && !given.has("on") => Some(Vec::new()),
            Some(_) => failures::instead_of_events(given.take("on"), cancel_on.as_ref(), errors),
            None => on(given.take("on"), &item.sig, errors),
        };
        let handles_cancels =
            failures::handles_cancels(given.take("cancelled"), on_failure.is_some(), errors);
        let on_failure = on_failure.map(|opt| failures::functions(&opt, errors));
        let when = given.take("when").map(|opt| opt.value);
        let cancel_on = cancel_on.map(|opt| opt.paths(errors));
        let options = Options::build(&mut given, &krate, errors);
        let (outer, inner) = item.attrs.iter().cloned().partition(is_outer);
        let (event, others) = arguments?;
        Some(Self {
            outer,
            inner,
            vis: item.vis.clone(),
            name: item.sig.ident.clone(),
            event,
            others,
            output: output(&item.sig),
            body: item.body(),
            id: id?,
            on: on?,
            when,
            cancel_on: cancel_on.unwrap_or_default(),
            on_failure: on_failure.unwrap_or_default(),
            handles_cancels,
            schedule,
            flow,
            options,
            krate,
        })
    }
}

impl Options {
    fn build(given: &mut Given, krate: &Krate, errors: &mut Errors) -> Self {
        let word = given
            .take("continuation")
            .and_then(|opt| opt.word(&["inline", "per-step"], errors));
        let on_cancel = given
            .take("on_cancel")
            .and_then(|opt| opt.word(&["drop", "finish"], errors));
        let [start_within, finish_within] =
            limits(given, errors).map(|limit| limit.map(|opt| opt.some_duration(krate, errors)));
        Self {
            retries: given.take("retries").map(|opt| opt.number(0, errors)),
            backoff: given.take("backoff").map(|opt| opt.backoff(krate, errors)),
            timeout: given.take("timeout").map(|opt| opt.duration(krate, errors)),
            start_within,
            finish_within,
            concurrency: given
                .take_plain("concurrency")
                .map(|opt| opt.number(1, errors)),
            max_steps: given.take("max_steps").map(|opt| opt.number(1, errors)),
            per_step: word.as_deref() == Some("per-step"),
            finishes_steps: on_cancel.as_deref() == Some("finish"),
        }
    }
}

/// The limits of time: a run that may take less time than it may wait would end before that.
fn limits(given: &mut Given, errors: &mut Errors) -> [Option<Opt>; 2] {
    let limits = [given.take("start_within"), given.take("finish_within")];
    let [start, finish] = &limits;
    let known = |limit: &Option<Opt>| limit.as_ref().and_then(Opt::known_duration);
    if let (Some(start), Some(within), Some(finish)) = (known(start), known(finish), finish)
        && within < start
    {
        let message = "`finish_within` counts from the same moment as `start_within`, so it cannot be shorter; write a longer time, or \
                       leave `start_within` out";
        errors.at(&finish.value, message);
    }
    limits
}

/// What functions and helpers have in common.
pub(super) fn check_qualifiers(sig: &Signature, attribute: &str, errors: &mut Errors) {
    if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token,
            format!("`#[belts::{attribute}]` can only be applied to an `async fn`; write `async` before `fn`"),
        );
    }
    if let Some(token) = &sig.constness {
        errors.at(token, "a belts function cannot be `const`; remove it");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(token, "a belts function cannot be `unsafe`; remove it");
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, "a belts function has Rust's own ABI; remove `extern`");
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(
            variadic,
            "a belts function takes no variadic arguments; remove them",
        );
    }
}

fn check_signature(sig: &Signature, errors: &mut Errors) {
    check_qualifiers(sig, "function", errors);
    if matches!(sig.output, ReturnType::Default) {
        let message =
            "a function must return a `Result`; add `-> belts::Result<()>`, and end with `Ok(())`";
        errors.push(sig.paren_token.span.close(), message);
    }
    let generics = &sig.generics;
    if !generics.params.is_empty() {
        let message = "a function is looked up by its id, so it cannot be generic; move the generic part into a fn that it calls";
        errors.at(generics, message);
    } else if let Some(clause) = &generics.where_clause {
        errors.at(
            clause,
            "a function is not generic, so it has no `where` clause; remove it",
        );
    }
}

/// The event, and what else the function takes.
fn arguments(
    sig: &Signature,
    given: &Given,
    errors: &mut Errors,
) -> Option<(PatType, Vec<PatType>)> {
    let mut typed = Vec::new();
    for argument in &sig.inputs {
        match argument {
            FnArg::Receiver(receiver) => {
                let message = "a function is a free `async fn` and cannot take `self`; take what is shared as \
                               `belts::State<…>`, and call the method on that";
                errors.at(receiver, message);
                return None;
            }
            FnArg::Typed(argument) => {
                under_cfg(argument, errors);
                typed.push(argument.clone());
            }
        }
    }
    let mut typed = typed.into_iter();
    let Some(event) = typed.next() else {
        let message = schedule::no_argument(sig, given);
        errors.push(sig.paren_token.span.join(), message);
        return None;
    };
    event_comes_first(&event, typed.len() == 0, given, errors)?;
    event_type(&event, errors)?;
    let others: Vec<_> = typed.collect();
    named(&others, errors)?;
    Some((event, others))
}

/// `None` if a type after the event cannot be looked up.
fn named(others: &[PatType], errors: &mut Errors) -> Option<()> {
    let mut all = Some(());
    for other in others {
        let message = match &*other.ty {
            Type::Reference(reference) => format!(
                "a function owns its arguments; write `belts::State<{}>` for a value given to the worker, and `belts::Context` \
                 for the run's context",
                spelled(&reference.elem.to_token_stream())
            ),
            Type::ImplTrait(_) => "a state is selected by its type; name the type, such as \
                                   `belts::State<Arc<dyn Mailer>>`"
                .to_owned(),
            _ => continue,
        };
        errors.at(&other.ty, message);
        all = None;
    }
    all
}

/// Attributes see their input before `cfg` removes anything.
fn under_cfg(argument: &PatType, errors: &mut Errors) {
    if let Some(cfg) = argument
        .attrs
        .iter()
        .find(|attr| attr.path().is_ident("cfg"))
    {
        let message = "an argument of a function cannot have `#[cfg]`; write two functions, each with its own `#[cfg]`";
        errors.at(cfg, message);
    }
}

/// `None` if the first argument is the context or a state; an event of that name is listed in `on`.
fn event_comes_first(
    event: &PatType,
    alone: bool,
    given: &Given,
    errors: &mut Errors,
) -> Option<()> {
    let Type::Path(path) = &*event.ty else {
        return Some(());
    };
    let name = path.path.segments.last()?.ident.to_string();
    let (what, example) = match name.as_str() {
        "Context" => ("context", "cx: belts::Context"),
        "State" => ("state", "State(pool): belts::State<PgPool>"),
        _ => return Some(()),
    };
    if given.mentions("on", &name) {
        return Some(());
    }
    let message = if alone {
        format!(
            "a function takes the event that starts it, then the {what}: `(event: OrderCreated, {example})`"
        )
    } else {
        format!("the event comes first, then the {what}: `(event: OrderCreated, {example})`")
    };
    errors.at(path, message);
    None
}

/// `None` if the first argument cannot be an event.
fn event_type(event: &PatType, errors: &mut Errors) -> Option<()> {
    let message = match &*event.ty {
        Type::ImplTrait(_) => {
            "a function takes events of one type; write that type, or an enum that derives `belts::Event`"
                .to_owned()
        }
        Type::Reference(reference) => format!(
            "a function owns its event; take `{}` without the `&`",
            spelled(&reference.elem.to_token_stream())
        ),
        _ => return Some(()),
    };
    errors.at(&event.ty, message);
    None
}

fn id(opt: Option<Opt>, name: &Ident, errors: &mut Errors) -> Option<LitStr> {
    let Some(opt) = opt else {
        let suggested = unraw(name).to_lowercase().replace('_', "-");
        errors.at(
            name,
            format!("a function needs an id: `#[belts::function(id = \"{suggested}\", on = …)]`"),
        );
        return None;
    };
    let id = opt.text(errors)?;
    match check_id(&id.value()) {
        Ok(()) => Some(id),
        Err(message) => {
            errors.at(&id, message);
            None
        }
    }
}

/// 1 to 100 characters of `a-z 0-9 - _ . /`.
fn check_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
    if id.is_empty() {
        return Err(
            "the `id` is empty; name the function, such as `id = \"process-order\"`".to_owned(),
        );
    }
    if let Some(wrong) = id.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "an `id` cannot contain {wrong:?}; use `a-z`, `0-9`, `-`, `_`, `.` and `/`"
        ));
    }
    match id.len() {
        1..=100 => Ok(()),
        long => Err(format!(
            "an `id` has at most 100 characters, but this one has {long}; shorten it"
        )),
    }
}

fn on(opt: Option<Opt>, sig: &Signature, errors: &mut Errors) -> Option<Vec<Expr>> {
    let Some(opt) = opt else {
        let event = match sig.inputs.first() {
            Some(FnArg::Typed(argument)) => &*argument.ty,
            _ => &syn::parse_quote!(OrderCreated),
        };
        let message = if failures::is_failed(event) {
            "a failure handler needs the function whose failures it handles: add `on_failure = process_order`"
                .to_owned()
        } else {
            let event = spelled(&event.to_token_stream());
            format!("a function needs an event that starts it: add `on = {event}`")
        };
        errors.at(&sig.ident, message);
        return None;
    };
    let on = opt.paths(errors);
    (!on.is_empty()).then_some(on)
}

/// The return type; its presence has been checked.
fn output(sig: &Signature) -> TokenStream {
    match &sig.output {
        ReturnType::Type(_, output) => output.to_token_stream(),
        ReturnType::Default => quote!(()),
    }
}

/// Attributes that concern the name that others see.
pub(super) fn is_outer(attribute: &Attribute) -> bool {
    const OUTER: [&str; 9] = [
        "doc",
        "cfg",
        "cfg_attr",
        "deprecated",
        "allow",
        "warn",
        "deny",
        "forbid",
        "expect",
    ];
    OUTER.iter().any(|name| attribute.path().is_ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_1_to_100_plain_characters() {
        for id in ["a", "process-order", "shop/orders.v2_x", &"a".repeat(100)] {
            assert_eq!(check_id(id), Ok(()), "{id}");
        }
        for id in ["", "a b", "Order", "ü", &"a".repeat(101)] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }

    #[test]
    fn the_handle_takes_docs_and_lints() {
        let item: Item = syn::parse_quote! {
            #[doc = "x"] #[instrument] #[allow(unused)] async fn f(e: E) {}
        };
        let (outer, inner): (Vec<_>, Vec<_>) = item.attrs.into_iter().partition(is_outer);
        assert_eq!((outer.len(), inner.len()), (2, 1));
    }
}
