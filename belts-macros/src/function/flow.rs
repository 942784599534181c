//! The flow options: which events start runs of a function, how many, and when.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Expr, ExprClosure, FnArg, LitStr, Pat, Signature, Type};

use crate::{
    diag::Errors,
    names::{Krate, spelled},
    option::{
        BATCH, CONCURRENCY, DEBOUNCE, Given, IDEMPOTENT, Opt, RATE_LIMIT, SINGLETON, THROTTLE,
        Table, ungrouped,
    },
};

/// What a function says of its flow, with values as expressions of the runtime's types.
#[derive(Default)]
pub(crate) struct Flow {
    pub(super) lanes: Vec<Lane>,
    pub(super) throttle: Option<Rate>,
    pub(super) rate_limit: Option<Rate>,
    pub(super) debounce: Option<Debounce>,
    pub(super) batch: Option<Batch>,
    pub(super) singleton: Option<Singleton>,
    pub(super) idempotent: Option<Once>,
    pub(super) priority: Option<Key>,
}

/// A literal closure over the event, taken apart.
pub(super) struct Key {
    pub(super) pattern: Pat,
    pub(super) body: Expr,
}

pub(super) struct Lane {
    pub(super) at: Span,
    pub(super) limit: TokenStream,
    pub(super) key: Option<Key>,
    pub(super) shared: Option<LitStr>,
}

pub(super) struct Rate {
    pub(super) at: Span,
    pub(super) limit: TokenStream,
    pub(super) per: TokenStream,
    pub(super) burst: Option<TokenStream>,
    pub(super) key: Option<Key>,
}

pub(super) struct Debounce {
    pub(super) at: Span,
    pub(super) period: TokenStream,
    pub(super) max: Option<TokenStream>,
    pub(super) key: Option<Key>,
}

pub(super) struct Batch {
    pub(super) at: Span,
    pub(super) size: TokenStream,
    pub(super) within: TokenStream,
    pub(super) key: Option<Key>,
}

pub(super) struct Singleton {
    pub(super) at: Span,
    pub(super) key: Option<Key>,
    pub(super) then: Option<String>,
}

pub(super) struct Once {
    pub(super) at: Span,
    pub(super) key: Option<Key>,
    pub(super) within: Option<TokenStream>,
}

impl Flow {
    pub(super) fn is_nothing(&self) -> bool {
        self.lanes.is_empty()
            && self.throttle.is_none()
            && self.rate_limit.is_none()
            && self.debounce.is_none()
            && self.batch.is_none()
            && self.singleton.is_none()
            && self.idempotent.is_none()
            && self.priority.is_none()
    }
}

impl Key {
    /// What the key is called where a person reads it: `account` for `|e| &e.account`.
    pub(super) fn label(&self) -> String {
        let text = spelled(&self.body.to_token_stream()).replace(['&', ' '], "");
        match &self.pattern {
            Pat::Ident(name) => without(&text, &format!("{}.", name.ident)),
            _ => text,
        }
    }
}

/// A text without this word in front of its fields, but not without the end of another one.
fn without(text: &str, word: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        left.push_str(&rest[..at]);
        let is_end = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        if left.ends_with(is_end) {
            left.push_str(word);
        }
        rest = &rest[at + word.len()..];
    }
    left + rest
}

/// Pairs of options that mean nothing together, each with the reason.
const NOT_TOGETHER: [(&str, &str, &str); 9] = [
    (
        "batch",
        "debounce",
        "`batch` keeps every event and `debounce` the last alone; keep one of them",
    ),
    (
        "batch",
        "singleton",
        "the events of a batch share one run, so there is none to skip or to cancel for one of them; write \
         `concurrency(limit = 1)` to run one batch at a time",
    ),
    (
        "batch",
        "idempotent",
        "`idempotent` makes one run for each key and `batch` one for many events; keep one of them",
    ),
    (
        "batch",
        "rate_limit",
        "`rate_limit` skips what is over, and the events of a batch share one run; write `throttle(…)`, which lets the rest wait",
    ),
    (
        "batch",
        "priority",
        "each event of a batch could ask for another place in the queue, and they share one run; remove `priority`",
    ),
    (
        "batch",
        "cancel_on",
        "an event cancels the run of the event with its key, and a batch has the events of several keys; remove `cancel_on`",
    ),
    (
        "debounce",
        "idempotent",
        "`idempotent` keeps the first event of a key and `debounce` the last; keep one of them",
    ),
    (
        "debounce",
        "rate_limit",
        "`rate_limit` skips the last events of a burst, of which `debounce` keeps the last; write `throttle(…)`, which lets runs \
         wait",
    ),
    (
        "debounce",
        "singleton",
        "the last event has to start a run whatever else is live; write `concurrency(limit = 1, key = …)`, so that the runs of a key \
         are driven one at a time",
    ),
];

/// Those that concern events, of which the clock publishes none.
const NOT_OF_TICKS: [&str; 5] = ["debounce", "batch", "rate_limit", "singleton", "idempotent"];

/// The flow options of a function.
pub(super) fn take(sig: &Signature, given: &mut Given, krate: &Krate, errors: &mut Errors) -> Flow {
    together(given, errors);
    let reader = &mut Reader { krate, errors };
    let lanes = given.take_called("concurrency");
    let lanes: Vec<Lane> = lanes.iter().map(|opt| reader.lane(opt)).collect();
    let flow = Flow {
        lanes,
        throttle: given
            .take("throttle")
            .map(|opt| reader.rate(&opt, &THROTTLE)),
        rate_limit: given
            .take("rate_limit")
            .map(|opt| reader.rate(&opt, &RATE_LIMIT)),
        debounce: given.take("debounce").map(|opt| reader.debounce(&opt)),
        batch: given.take("batch").map(|opt| reader.batch(&opt)),
        singleton: given.take("singleton").map(|opt| reader.singleton(&opt)),
        idempotent: given.take("idempotent").map(|opt| reader.once(&opt)),
        priority: given
            .take("priority")
            .and_then(|opt| key(&opt, "the seconds", errors)),
    };
    check_lanes(&flow.lanes, errors);
    check_batch(sig, &flow, given, errors);
    flow
}

fn together(given: &Given, errors: &mut Errors) {
    for (one, other, why) in NOT_TOGETHER {
        if let (Some(_), Some(at)) = (given.key_of(one), given.key_of(other)) {
            errors.at(at, why);
        }
    }
    let clock = ["cron", "every"].into_iter().find(|name| given.has(name));
    if let Some(clock) = clock {
        for name in NOT_OF_TICKS {
            if let Some(at) = given.key_of(name) {
                let message = format!(
                    "`{name}` is about events that come close to each other, and the clock makes one tick after the other; remove it, \
                     and say with `overlap` what becomes of a tick while a run goes on, beside `{clock}`"
                );
                errors.at(at, message);
            }
        }
    }
    if given.has("on_failure")
        && let Some(at) = given.key_of("batch")
    {
        errors.at(
            at,
            "a failure handler takes one `belts::Failed<…>`, not several; remove `batch`",
        );
    }
}

fn check_lanes(lanes: &[Lane], errors: &mut Errors) {
    if let [_, _, third, ..] = lanes {
        let message =
            "a function has two limits of runs at once over all workers, and not more; remove one";
        errors.push(third.at, message);
    }
    if let [one, other, ..] = lanes
        && one.shared.is_none()
        && other.shared.is_none()
        && one.key.as_ref().map(Key::label) == other.key.as_ref().map(Key::label)
    {
        let message = "these two limits count the same runs, so the smaller one holds; keep that";
        errors.push(other.at, message);
    }
    if let [one, other, ..] = lanes
        && let Some(name) = same_pool(one, other)
    {
        let message = "both limits count the runs of this pool, which can have one limit in a function; give the second pool another name";
        errors.at(name, message);
    }
}

/// The name of a pool that both limits have.
fn same_pool<'a>(one: &'a Lane, other: &'a Lane) -> Option<&'a LitStr> {
    let names = one.shared.as_ref().zip(other.shared.as_ref());
    names.and_then(|(one, other)| (one.value() == other.value()).then_some(other))
}

/// A batch is of one key, and so are its limits.
fn check_batch(sig: &Signature, flow: &Flow, given: &Given, errors: &mut Errors) {
    let Some(batch) = &flow.batch else {
        if let Some(FnArg::Typed(event)) = sig.inputs.first()
            && let Type::Path(path) = &*event.ty
            && path
                .path
                .segments
                .last()
                .is_some_and(|last| last.ident == "Vec")
            && !given.has("on_failure")
        {
            let message = "a function takes one event at a time; add `batch(size = 100, within = \"5s\")` to take several at once";
            errors.at(&event.ty, message);
        }
        return;
    };
    let own = batch.key.as_ref().map(Key::label);
    let lanes = flow.lanes.iter().map(|lane| ("concurrency", &lane.key));
    let throttle = flow.throttle.iter().map(|rate| ("throttle", &rate.key));
    for (name, key) in lanes.chain(throttle) {
        if let Some(key) = key
            && Some(key.label()) != own
        {
            let message = format!(
                "a batch holds events of several keys of `{name}`; give `batch` this key too, so that all events of one batch have \
                 the same"
            );
            errors.at(&key.body, message);
        }
    }
}

struct Reader<'a> {
    krate: &'a Krate,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    /// The options of an option.
    fn given(&mut self, opt: &Opt, table: &Table) -> Given {
        let args = opt.args.clone().unwrap_or_default();
        Given::parse(args, table, self.errors)
    }

    fn key(&mut self, given: &mut Given) -> Option<Key> {
        let opt = given.take("key")?;
        key(&opt, "the key", self.errors)
    }

    /// A number that has to be there.
    fn number(&mut self, opt: &Opt, given: &mut Given, name: &str) -> TokenStream {
        match given.take(name) {
            Some(number) => number.number(1, self.errors),
            None => self.missing(opt, name),
        }
    }

    /// A time that has to be there.
    fn time(&mut self, opt: &Opt, given: &mut Given, name: &str) -> TokenStream {
        match given.take(name) {
            Some(time) => time.some_duration(self.krate, self.errors),
            None => self.missing(opt, name),
        }
    }

    fn missing(&mut self, opt: &Opt, name: &str) -> TokenStream {
        let message = format!("`{}` needs a `{name}`: `{}`", opt.key, opt.example());
        self.errors.at(&opt.key, message);
        quote!(1)
    }

    fn lane(&mut self, opt: &Opt) -> Lane {
        let mut given = self.given(opt, &CONCURRENCY);
        let shared = given.take("shared").and_then(|opt| {
            let name = opt.text(self.errors)?;
            if name.value().trim().is_empty() || name.value().len() > 100 {
                let message = "`shared` is the name of a pool, of 1 to 100 bytes, such as `shared = \"openai\"`";
                self.errors.at(&name, message);
            }
            Some(name)
        });
        let limit = if let Some(number) = given.take("limit") {
            number.number(1, self.errors)
        } else {
            let message = "`concurrency(…)` needs a `limit`: `concurrency(limit = 5, key = |event| &event.account)`";
            self.errors.at(&opt.key, message);
            quote!(1)
        };
        Lane {
            at: opt.key.span(),
            limit,
            key: self.key(&mut given),
            shared,
        }
    }

    fn rate(&mut self, opt: &Opt, table: &Table) -> Rate {
        let mut given = self.given(opt, table);
        Rate {
            at: opt.key.span(),
            limit: self.number(opt, &mut given, "limit"),
            per: self.time(opt, &mut given, "per"),
            burst: given
                .take("burst")
                .map(|burst| burst.number(1, self.errors)),
            key: self.key(&mut given),
        }
    }

    fn debounce(&mut self, opt: &Opt) -> Debounce {
        let mut given = self.given(opt, &DEBOUNCE);
        if let (Some(period), Some(max)) = (given.known_time("period"), given.known_time("max"))
            && max < period
            && let Some(at) = given.key_of("max")
        {
            let message = "`max` counts from the first event and `period` from the last, so it cannot be shorter; write a longer time, \
                           or leave it out";
            self.errors.at(at, message);
        }
        Debounce {
            at: opt.key.span(),
            period: self.time(opt, &mut given, "period"),
            max: given
                .take("max")
                .map(|max| max.some_duration(self.krate, self.errors)),
            key: self.key(&mut given),
        }
    }

    fn batch(&mut self, opt: &Opt) -> Batch {
        let mut given = self.given(opt, &BATCH);
        Batch {
            at: opt.key.span(),
            size: self.number(opt, &mut given, "size"),
            within: self.time(opt, &mut given, "within"),
            key: self.key(&mut given),
        }
    }

    fn singleton(&mut self, opt: &Opt) -> Singleton {
        let mut given = self.given(opt, &SINGLETON);
        let then = given
            .take("then")
            .and_then(|opt| opt.word(&["skip", "replace", "queue"], self.errors));
        Singleton {
            at: opt.key.span(),
            key: self.key(&mut given),
            then,
        }
    }

    fn once(&mut self, opt: &Opt) -> Once {
        let mut given = self.given(opt, &IDEMPOTENT);
        if !given.has("key") {
            self.missing(opt, "key");
        }
        Once {
            at: opt.key.span(),
            key: self.key(&mut given),
            within: given
                .take("within")
                .map(|within| within.some_duration(self.krate, self.errors)),
        }
    }
}

/// A literal closure with one argument.
fn key(opt: &Opt, what: &str, errors: &mut Errors) -> Option<Key> {
    let name = &opt.key;
    let Expr::Closure(closure) = ungrouped(&opt.value) else {
        let message = format!(
            "`{name}` takes a closure over the event, written here: `{}`",
            opt.example()
        );
        errors.at(&opt.value, message);
        return None;
    };
    let ExprClosure {
        asyncness, inputs, ..
    } = closure;
    if let Some(asyncness) = asyncness {
        let message = format!("{what} follows from the event alone; remove `async`");
        errors.at(asyncness, message);
        return None;
    }
    if inputs.len() != 1 {
        let message = format!(
            "`{name}` takes a closure over the event, with one argument: `{}`",
            opt.example()
        );
        errors.at(closure, message);
        return None;
    }
    Some(Key {
        pattern: inputs[0].clone(),
        body: (*closure.body).clone(),
    })
}
