//! The one table of what generated code may name: runtime paths and generated identifiers.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};

/// The crate that holds the runtime: `::belts`, or what `crate = path` says.
#[derive(Debug, Clone)]
pub(crate) struct Krate(TokenStream);

impl Default for Krate {
    fn default() -> Self {
        let span = Span::mixed_site();
        Self(quote_spanned!(span=> ::belts))
    }
}

impl Krate {
    pub(crate) fn new(path: TokenStream) -> Self {
        Self(path)
    }

    pub(crate) fn tokens(&self) -> &TokenStream {
        &self.0
    }

    /// The path with its own hygiene, but located at `at`, so that errors point there.
    fn located_at(&self, at: Span) -> TokenStream {
        if self.0.to_string() == ":: belts" {
            let span = at_site(at);
            return quote_spanned!(span=> ::belts);
        }
        let place = |mut token: TokenTree| {
            token.set_span(token.span().located_at(at));
            token
        };
        self.0.clone().into_iter().map(place).collect()
    }

    /// Whether the path ends in this name.
    pub(crate) fn is_named(&self, name: &Ident) -> bool {
        matches!(self.0.clone().into_iter().last(), Some(TokenTree::Ident(last)) if last == *name)
    }
}

macro_rules! runtime {
    ($($field:ident: $($path:ident)::+;)*) => {
        #[cfg(test)]
        const PATHS: &[&str] = &[$(stringify!($($path)::+),)*];

        /// Every runtime path, located at one place of the user's source.
        pub(crate) struct Runtime { $(pub(crate) $field: TokenStream,)* }

        impl Krate {
            /// The paths with the hygiene of the macro, located at `at`.
            pub(crate) fn at(&self, at: Span) -> Runtime {
                let krate = self.located_at(at);
                let span = at_site(at);
                Runtime { $($field: quote_spanned!(span=> #krate::$($path)::+),)* }
            }
        }
    };
}

// These appear in signatures and trait bounds that users see in editors, `cargo expand` and rustc's messages; the rest is private.
runtime! {
    call: Call;
    check_result: Result;
    error: Error;
    event: Event;
    event_set: EventSet;
    publish_builder: Publish;

    absent: __private::UNFINISHED;
    accepts: __private::accepts;
    argument: __private::Argument;
    arm_key: __private::ArmKey;
    attempted: __private::Attempted;
    await_entry: __private::AwaitEntry;
    awaitable: __private::autoref::Awaitable;
    backoff: __private::Backoff;
    callback_entry: __private::CallbackEntry;
    cancel_on: __private::CancelOn;
    cancels: __private::Cancels;
    caught: __private::Caught;
    check: __private::check;
    contend: __private::Contend;
    contender: __private::Contender;
    continuation: __private::Continuation;
    correlation_key: __private::correlation_key;
    decode_event: __private::decode_event;
    decode_own: __private::decode_own;
    definition: __private::Definition;
    duration: __private::duration;
    encode_event: __private::encode_event;
    encode_own: __private::encode_own;
    encoded_event: __private::EncodedEvent;
    ended: __private::autoref::Ended;
    ended_types: __private::ENDED_TYPES;
    entered: __private::Entered;
    event_entry: __private::EventEntry;
    event_keys: __private::key;
    fallible: __private::autoref::Fallible;
    finish: __private::finish;
    flow: __private::autoref::Flow;
    flow_batch: __private::flow::Batch;
    flow_batch_of: __private::flow::BatchOf;
    flow_debounce: __private::flow::Debounce;
    flow_def: __private::flow::FlowDef;
    flow_first: __private::flow::first;
    flow_key: __private::flow::key;
    flow_lane: __private::flow::Lane;
    flow_lane_def: __private::flow::LaneDef;
    flow_new: __private::flow::Flow;
    flow_once: __private::flow::Once;
    flow_rate: __private::flow::Rate;
    flow_singleton: __private::flow::Singleton;
    flow_then: __private::flow::Then;
    format: __private::format;
    function_def: __private::FunctionDef;
    function_entry: __private::FunctionEntry;
    function_options: __private::FunctionOptions;
    handled: __private::handled;
    handled_function: __private::Handled;
    handles: __private::Handles;
    helper_entry: __private::HelperEntry;
    helper_scope: __private::StepsHelpersAreCalledWithScope;
    holds: __private::holds;
    in_sqlite: __private::in_sqlite;
    invalid: __private::invalid;
    invocation: __private::Invocation;
    key: __private::Key;
    key_def: __private::KeyDef;
    location: __private::Location;
    make_call: __private::call;
    of_any_error: __private::of_any_error;
    pg_transaction: __private::PgTransaction;
    pg_tries: __private::PgTries;
    on_cancel: __private::OnCancel;
    publish: __private::publish;
    race: __private::Race;
    racing: __private::Racing;
    returned: __private::Returned;
    schedule_def: __private::ScheduleDef;
    schedule_missed: __private::Missed;
    schedule_overlap: __private::Overlap;
    schedule_when: __private::WhenDef;
    scope: __private::Scope;
    serde: __private::serde;
    since: __private::Since;
    slot: __private::Slot;
    sqlite_transaction: __private::SqliteTransaction;
    step: __private::Step;
    step_options: __private::StepOptions;
    transaction_kind: __private::TransactionKind;
    submit: __private::inventory::submit;
    unknown: __private::Unknown;
    ticks: __private::Ticks;
    unknown_type: __private::unknown_type;
    via_any_error: __private::autoref::ViaAnyError;
    via_borrowed: __private::autoref::ViaBorrowed;
    via_future: __private::autoref::ViaFuture;
    via_no_error: __private::autoref::ViaNoError;
    via_own_error: __private::autoref::ViaOwnError;
    via_plain: __private::autoref::ViaPlain;
    via_result: __private::autoref::ViaResult;
    via_value: __private::autoref::ViaValue;
}

impl Runtime {
    /// The location of a token as a `Location`.
    pub(crate) fn here(&self, at: Span) -> TokenStream {
        let location = &self.location;
        quote_spanned! {at=>
            #location { file: ::core::file!(), line: ::core::line!(), column: ::core::column!() }
        }
    }
}

/// The macros that attributes mark.
pub(crate) const MARKED: [&str; 10] = [
    "step",
    "sleep",
    "sleep_until",
    "wait",
    "callback",
    "call",
    "start",
    "race",
    "scope",
    "transaction",
];

/// Names of the macro's own, located in the user's source.
pub(crate) fn at_site(at: Span) -> Span {
    Span::mixed_site().located_at(at)
}

/// A binding of the macro's own, which no constant of the user can shadow.
pub(crate) fn local(word: &str, at: Span) -> Ident {
    Ident::new(&format!("__belts_{word}"), at_site(at))
}

/// The scope as a body sees it, and the mark for it.
pub(crate) fn cx(at: Span) -> Ident {
    Ident::new(CX, at_site(at))
}

/// The hidden parameter, which the body sees through a reference, so that `async move` blocks do not move it.
pub(crate) fn scope(at: Span) -> Ident {
    Ident::new(SCOPE, at_site(at))
}

/// What precedes a marked macro's own arguments.
pub(crate) fn mark(krate: &Krate, at: Span) -> TokenStream {
    let (cx, krate) = (cx(at), krate.tokens());
    quote!(#cx [#krate])
}

/// The arguments of a marked `step!`, where the `.await` after it is left to its expansion.
pub(crate) fn mark_as_awaited(call: &Group) -> Group {
    let arguments = call.stream().into_iter().enumerate();
    let arguments = arguments.map(|(at, token)| match token {
        TokenTree::Group(krate) if at == 1 => Group::new(Delimiter::Brace, krate.stream()).into(),
        other => other,
    });
    let mut marked = Group::new(call.delimiter(), arguments.collect());
    marked.set_span(call.span());
    marked
}

/// The mark inside a nested fn, which has no scope.
pub(crate) fn nested_mark(at: Span) -> TokenStream {
    let nested = Ident::new(NESTED, at_site(at));
    quote!(#nested)
}

pub(crate) const CX: &str = "__belts_cx";
pub(crate) const SCOPE: &str = "__belts_scope";
pub(crate) const NESTED: &str = "__belts_nested_fn";

/// `OrderCreated` and `order_created` as `order-created`.
pub(crate) fn kebab(name: &str) -> String {
    words(name).join("-")
}

/// `publish_order_created`, located at `OrderCreated`.
pub(crate) fn publish_fn(name: &Ident) -> Ident {
    format_ident!(
        "publish_{}",
        words(&unraw(name)).join("_"),
        span = name.span()
    )
}

/// Tokens as a person writes them.
pub(crate) fn spelled(tokens: &TokenStream) -> String {
    let text = tokens.to_string();
    [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" . ", "."),
        (" ?", "?"),
    ]
    .iter()
    .fold(text, |text, (from, to)| text.replace(from, to))
    .split(" (")
    .fold(String::new(), |text, part| match text.chars().last() {
        None => part.to_owned(),
        Some(last) if last.is_alphanumeric() || "_>)".contains(last) => format!("{text}({part}"),
        Some(_) => format!("{text} ({part}"),
    })
}

pub(crate) fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// The words of a name in lower case; a run of capitals is one word, except that its last one starts the word that follows.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (i, letter) in letters.iter().enumerate() {
        let starts = letter.is_uppercase()
            && i > 0
            && (!letters[i - 1].is_uppercase()
                || letters.get(i + 1).is_some_and(|next| next.is_lowercase()));
        if *letter == '_' || starts {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut()
            && *letter != '_'
        {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_code_names_no_other_public_items_than_these() {
        let public: Vec<_> = PATHS
            .iter()
            .filter(|path| !path.starts_with("__private"))
            .collect();
        assert_eq!(
            public,
            [
                &"Call",
                &"Result",
                &"Error",
                &"Event",
                &"EventSet",
                &"Publish"
            ]
        );
    }

    #[test]
    fn type_names_become_kebab_case() {
        for (name, wanted) in [
            ("OrderCreated", "order-created"),
            ("HTTPPing", "http-ping"),
            ("Ping", "ping"),
            ("OrderV2", "order-v2"),
            ("order_created", "order-created"),
            ("A", "a"),
        ] {
            assert_eq!(kebab(name), wanted);
        }
    }

    #[test]
    fn tokens_are_spelled_as_a_person_writes_them() {
        for text in ["a::b(c, &d)", "a.b().await?", "Vec<u8>", "a - (b, (c))"] {
            let tokens: TokenStream = text.parse().expect(text);
            assert_eq!(spelled(&tokens), text);
        }
    }

    #[test]
    fn helpers_are_named_for_their_event() {
        let name = publish_fn(&format_ident!("HTTPPing"));
        assert_eq!(name, "publish_http_ping");
    }
}
