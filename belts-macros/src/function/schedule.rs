//! `cron` and `every`: a function that the clock starts.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{FnArg, Signature, Type, spanned::Spanned as _};

use crate::{
    diag::Errors,
    names::{Krate, at_site},
    option::{Given, Opt},
    schedule::{cron, zone},
    step::options::optional,
};

/// The options that say more of a schedule.
const DETAILS: [&str; 4] = ["tz", "missed", "overlap", "jitter"];

/// A schedule as expressions of the runtime's types.
pub(crate) struct Schedule {
    pub(super) when: TokenStream,
    pub(super) missed: Option<String>,
    pub(super) overlap: Option<String>,
    pub(super) jitter: Option<TokenStream>,
}

/// Whether a function takes the ticks of schedules, by the name of the type.
fn is_tick(event: &Type) -> bool {
    match event {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Tick"),
        _ => false,
    }
}

/// Whether the clock may start it without a schedule in the attribute: one is put at run time.
pub(super) fn takes_ticks(sig: &Signature) -> bool {
    matches!(sig.inputs.first(), Some(FnArg::Typed(argument)) if is_tick(&argument.ty))
}

/// What a function without arguments is told.
pub(super) fn no_argument(sig: &Signature, given: &Given) -> String {
    let name = &sig.ident;
    if given.has("cron") || given.has("every") {
        format!(
            "a function with a schedule takes the tick that starts it: `async fn {name}(tick: belts::Tick)`"
        )
    } else {
        format!("a function takes the event that starts it: `async fn {name}(event: OrderCreated)`")
    }
}

/// The schedule, if the attribute has one; `None` also where it has mistakes.
pub(super) fn take(given: &mut Given, krate: &Krate, errors: &mut Errors) -> Option<Schedule> {
    let [tz, missed, overlap, jitter] = DETAILS.map(|detail| given.take(detail));
    let (cron, every) = (given.take("cron"), given.take("every"));
    if let (Some(_), Some(every)) = (&cron, &every) {
        errors.at(
            &every.key,
            "a schedule ticks either by `cron` or by `every`; keep one of them",
        );
        return None;
    }
    let Some(opt) = cron.as_ref().or(every.as_ref()) else {
        for detail in [&tz, &missed, &overlap, &jitter].into_iter().flatten() {
            let message = format!(
                "`{}` belongs to a schedule; add `cron = \"0 9 * * MON-FRI\"`{}, or remove it",
                detail.key,
                if detail.key == "tz" {
                    ""
                } else {
                    " or `every = \"15m\"`"
                }
            );
            errors.at(&detail.key, message);
        }
        return None;
    };
    for (other, why) in [
        (
            "on",
            "a function is started either by events or by the clock; keep one of `on` and",
        ),
        (
            "on_failure",
            "a function is started either by the failures of others or by the clock; keep one of `on_failure` and",
        ),
    ] {
        if let Some(other) = given.take(other) {
            errors.at(&other.key, format!("{why} `{}`", opt.key));
        }
    }
    if let Some(cancel_on) = given.take("cancel_on") {
        let message = "a tick has no key, so no event can name the run that it cancels; remove `cancel_on`, and use \
                       `overlap = \"cancel\"` to let the next tick take its place";
        errors.at(&cancel_on.key, message);
    }
    if let (Some(every), Some(jitter)) = (&every, &jitter)
        && let (Some(period), Some(most)) = (every.known_duration(), jitter.known_duration())
        && most >= period
        && !period.is_zero()
    {
        let message = "`jitter` reaches the next tick; write a time shorter than `every`";
        errors.at(&jitter.value, message);
    }
    let [missed, overlap] = [
        (missed, &["latest", "skip", "all"][..]),
        (overlap, &["skip", "queue", "allow", "cancel"][..]),
    ]
    .map(|(opt, words)| opt.and_then(|opt| opt.word(words, errors)));
    let jitter = jitter.map(|opt| opt.duration(krate, errors));
    let when = match (cron, every) {
        (Some(cron), _) => by_cron(&cron, tz.as_ref(), krate, errors)?,
        (_, Some(every)) => by_length(every, tz.as_ref(), krate, errors),
        (None, None) => return None,
    };
    Some(Schedule {
        when,
        missed,
        overlap,
        jitter,
    })
}

fn by_cron(opt: &Opt, tz: Option<&Opt>, krate: &Krate, errors: &mut Errors) -> Option<TokenStream> {
    let zone = tz.and_then(|tz| tz.text(errors));
    if let Some(zone) = &zone
        && let Err(message) = zone::check(&zone.value())
    {
        errors.at(zone, message);
    }
    let expression = opt.text(errors)?;
    if let Err(message) = cron::check(&expression.value()) {
        errors.at(&expression, message);
    }
    let at = expression.span();
    let when = krate.at(at).schedule_when;
    let zone = optional(zone.map(|zone| quote!(#zone)));
    Some(quote_spanned!(at_site(at)=> #when::Cron(#expression, #zone)))
}

fn by_length(every: Opt, tz: Option<&Opt>, krate: &Krate, errors: &mut Errors) -> TokenStream {
    if let Some(tz) = tz {
        let message = "`every` counts from the Unix epoch, which is the same in all time zones; remove `tz`, or write a `cron` expression";
        errors.at(&tz.key, message);
    }
    if let Some(length) = every.known_duration()
        && !length.is_zero()
        && length.subsec_nanos() % 1_000_000 != 0
    {
        let message = "`every` counts whole milliseconds; write a time such as `every = \"15m\"`";
        errors.at(&every.value, message);
    }
    let at = every.value.span();
    let when = krate.at(at).schedule_when;
    let length = every.some_duration(krate, errors);
    quote_spanned!(at_site(at)=> #when::Every(#length))
}
