//! All that generated code may touch. Nothing here is for users, and it changes without notice.
#![doc(hidden)]

// Beside a file that is named by its path, rustc would look for `src/dispatch.rs`.
#[path = "private/dispatch.rs"]
pub mod dispatch;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use serde::Serialize;

pub use std::format;

pub use inventory;
pub use serde;

pub use crate::{
    call::Call,
    context::Context,
    event::EncodedEvent,
    function::{Continuation, FunctionOptions},
    keys::KeyDef,
    publish::Publish,
    run::{Backoff, Location},
    state::Need,
    step::{Entered, Key, Next, Scope, Step, StepOptions, StepsHelpersAreCalledWithScope},
};
use crate::{
    error::{BoxError, Error, ErrorKind, Result},
    event::{Event, EventSet},
    state::State,
};

/// What the name of a function stands for. Its types stand in [`Call`]: bounds here would have rustc say a mistake twice.
pub trait Definition: 'static {
    const DEFINITION: &'static FunctionDef;
}

/// The mark of `tests/ui`: constants and functions below are called by name from `belts-macros/src/names.rs`.
pub fn call<E, R, D: Definition>(event: E, _: D) -> Call<E, R, D> {
    Call::new(event)
}

/// Asks of an event by its type and its JSON.
pub type Ask<T> = fn(&str, &[u8]) -> Result<T>;

/// A function as link-time registration knows it.
pub struct FunctionDef {
    pub id: &'static str,
    pub events: &'static [&'static [&'static str]],
    /// In the order in which they stand in the body; a helper's are under that of its scope.
    pub keys: &'static [KeyDef],
    pub options: fn() -> FunctionOptions,
    pub accepts: Option<Ask<bool>>,
    pub check: Ask<Option<Arc<str>>>,
    /// What it takes besides its event, as far as a worker has to have it.
    pub needs: &'static [fn() -> Option<Need>],
    pub start: fn(Invocation) -> Driven,
    pub location: Location,
    pub package: &'static str,
}

impl fmt::Debug for FunctionDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionDef")
            .field("id", &self.id)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

impl FunctionDef {
    /// A function that takes no event and never ends, for what has only some of the fields to say.
    pub(crate) const BLANK: Self = Self {
        id: "unfinished",
        events: &[],
        keys: &[],
        options: FunctionOptions::default,
        accepts: None,
        check: |_, _| Ok(None),
        needs: &[],
        start: |_| Box::pin(std::future::pending()),
        location: Location {
            file: "",
            line: 0,
            column: 0,
        },
        package: "",
    };
}

/// Stands for a function that has mistakes, so that its uses are no mistakes of their own.
pub static UNFINISHED: FunctionDef = FunctionDef::BLANK;

/// What `inventory` collects of functions.
#[derive(Debug)]
pub struct FunctionEntry(pub &'static FunctionDef);
inventory::collect!(FunctionEntry);

/// What `inventory` collects of events.
pub struct EventEntry {
    pub types: &'static [&'static str],
    pub check: Ask<Option<Arc<str>>>,
    pub location: Location,
    pub package: &'static str,
}
inventory::collect!(EventEntry);

impl fmt::Debug for EventEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEntry")
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

/// One attempt of a run, as generated code sees it.
#[derive(Debug)]
pub struct Invocation {
    pub(crate) scope: Scope,
    pub(crate) event_type: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
}

/// A function under way; its value is the output as an envelope.
pub type Driven = Pin<Box<dyn Future<Output = Result<Arc<[u8]>>> + Send>>;

impl Invocation {
    /// The event.
    pub fn event<E: EventSet>(&self) -> Result<E> {
        let event = E::decode(&self.event_type, &self.payload);
        if event.is_err() {
            self.scope.cannot_read_the_event();
        }
        event
    }

    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }
}

/// What a function may take besides its event.
#[diagnostic::on_unimplemented(
    message = "a function cannot take `{Self}`: after its event it takes the `belts::Context` and the application's state",
    label = "neither `belts::Context` nor `belts::State<…>`",
    note = "for a value that the worker holds write `belts::State<{Self}>`, and give it to the worker with `.state(…)`"
)]
pub trait Argument: Sized {
    /// What the worker must have for it.
    fn need() -> Option<Need> {
        None
    }

    fn of(run: &Invocation) -> Result<Self>;
}

impl Argument for Context {
    fn of(run: &Invocation) -> Result<Self> {
        Ok(run.scope.context())
    }
}

impl<T: Clone + Send + Sync + 'static> Argument for State<T> {
    fn need() -> Option<Need> {
        Some(Need::of::<T>())
    }

    fn of(run: &Invocation) -> Result<Self> {
        run.scope.state().map(Self)
    }
}

/// axum's wrapper of the same name and shape, which stands in many a file that has functions too.
#[cfg(feature = "http")]
impl<T: Clone + Send + Sync + 'static> Argument for axum::extract::State<T> {
    fn need() -> Option<Need> {
        Some(Need::of::<T>())
    }

    fn of(run: &Invocation) -> Result<Self> {
        run.scope.state().map(Self)
    }
}

/// What a function may return.
#[diagnostic::on_unimplemented(
    message = "a belts function returns `Result<T, E>`, not `{Self}`",
    label = "not a `Result`",
    note = "write `belts::Result<{Self}>` and end with `Ok(…)`"
)]
pub trait Returned {
    type Output;
    fn into_result(self) -> Result<Self::Output>;
}

impl<T, E: AnyError> Returned for std::result::Result<T, E> {
    type Output = T;
    fn into_result(self) -> Result<T> {
        self.map_err(E::into_error)
    }
}

/// What may stand in the `Err` of a step or function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a step or function can return",
    label = "fails with `{Self}`",
    note = "implement `std::error::Error` for `{Self}`, or map it to a `String`, an `anyhow::Error` or a `belts::Error`",
    note = "a boxed error is `Box<dyn std::error::Error + Send + Sync>`, since a run may go on in another thread"
)]
pub trait AnyError {
    fn into_error(self) -> Error;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> AnyError for E {
    fn into_error(self) -> Error {
        Error::from_any(self)
    }
}

/// Any error on its way out of a step's expression. It is no error itself, so that `?` makes one of every error there is.
#[derive(Debug)]
pub struct Caught(pub(crate) Error);

/// What an attempt at a step comes to.
pub type Attempted<T> = std::result::Result<T, Caught>;

impl<E: Into<BoxError>> From<E> for Caught {
    fn from(error: E) -> Self {
        Self(Error::from_any(error))
    }
}

impl AnyError for Caught {
    fn into_error(self) -> Error {
        self.0
    }
}

/// Names the error of an `async` block that ends with `Ok(…)` and says of no error what it is.
pub fn of_any_error<T, F>(block: F) -> F
where
    F: Future<Output = std::result::Result<T, Caught>>,
{
    block
}

/// Ends an attempt: the output as an envelope, or the error.
pub fn finish<R>(returned: R) -> Result<Arc<[u8]>>
where
    R: Returned,
    R::Output: Serialize,
{
    crate::codec::encode_ok(&returned.into_result()?)
}

/// Writes an event. `null`, which is how serde writes a struct without fields, becomes `{}`.
pub fn encode_event<T: Serialize + ?Sized>(
    event_type: &'static str,
    value: &T,
    correlation_key: Option<String>,
) -> Result<EncodedEvent> {
    crate::publish::encode(event_type, value, correlation_key)
}

/// Reads an event, with the path to the field where it does not fit.
pub fn decode_event<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T> {
    crate::publish::decode(payload)
}

/// `EventSet::encode` of one event. Asks for `Event` only, so that a missing serde derive is said once, at the impl.
pub fn encode_own<E: Event>(event: &E, correlation_key: Option<String>) -> Result<EncodedEvent> {
    encode_event(E::TYPE, event, correlation_key)
}

/// `EventSet::decode` of one event.
pub fn decode_own<E: Event>(event_type: &str, payload: &[u8]) -> Result<E> {
    if event_type == E::TYPE {
        decode_event(payload)
    } else {
        Err(unknown_type(event_type, &[E::TYPE]))
    }
}

/// The error for a type that an enum of events does not hold.
pub fn unknown_type(event_type: &str, known: &[&str]) -> Error {
    Error::new(
        ErrorKind::InvalidEvent,
        format!("event type `{event_type}` is none of: {}", known.join(", ")),
    )
}

/// A correlation key from any field: a string as it is, anything else as JSON.
pub fn correlation_key<T: Serialize + ?Sized>(value: &T) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) | Err(_) => None,
        Ok(serde_json::Value::String(text)) => Some(text),
        Ok(other) => Some(other.to_string()),
    }
}

/// The error of a `validate` check.
pub fn invalid(event_type: &str, reason: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::InvalidEvent,
        format!("event `{event_type}` is not valid: {reason}"),
    )
}

pub fn publish<E: EventSet>(event: &E) -> Publish {
    Publish::new(crate::publish::checked(event))
}

/// For `when = …`: reads the event and asks the filter.
pub fn accepts<E: EventSet>(
    event_type: &str,
    payload: &[u8],
    filter: fn(&E) -> bool,
) -> Result<bool> {
    E::decode(event_type, payload).map(|event| filter(&event))
}

/// For `FunctionDef::check` and `EventEntry::check`: the correlation key of a received event that fits and is valid.
pub fn check<E: EventSet>(event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
    let event = E::decode(event_type, payload)?;
    event.check()?;
    Ok(event.encode()?.correlation_key)
}

/// Whether every type of the lists in `wanted` is in `held`; for compile-time checks of `on`.
pub const fn holds(held: &[&str], wanted: &[&[&str]]) -> bool {
    let mut list = 0;
    while list < wanted.len() {
        let mut item = 0;
        while item < wanted[list].len() {
            if !contains(held, wanted[list][item]) {
                return false;
            }
            item += 1;
        }
        list += 1;
    }
    true
}

const fn contains(held: &[&str], wanted: &str) -> bool {
    let mut index = 0;
    while index < held.len() {
        if same(held[index].as_bytes(), wanted.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// A duration known at compile time.
pub const fn duration(secs: u64, nanos: u32) -> Duration {
    Duration::new(secs, nanos)
}
