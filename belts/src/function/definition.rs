//! A function and an event as link-time registration knows them.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use super::{
    ask::Ask,
    cancel::CancelOn,
    flow::FlowDef,
    keys::{ArmKey, KeyDef},
    options::FunctionOptions,
    state::Need,
};
use crate::{error::Result, event::EventSet, run::Location, schedule::ScheduleDef, step::Scope};

/// What the name of a function stands for. Its types stand in [`Call`](super::Call): bounds here would have rustc say a mistake twice.
pub trait Definition: 'static {
    /// What the macro has written down of it.
    const DEFINITION: &'static FunctionDef;
}

/// A function as link-time registration knows it.
pub struct FunctionDef {
    /// The id, as it stands in the attribute.
    pub id: &'static str,
    /// The types of its events, in one list for each type that `on` names.
    pub events: &'static [&'static [&'static str]],
    /// In the order in which they stand in the body; a helper's are under that of its scope.
    pub keys: &'static [KeyDef],
    /// Those in the arms of its races.
    pub arms: &'static [ArmKey],
    /// The names of the helpers that its scopes call.
    pub helpers: &'static [&'static str],
    /// What the attribute sets.
    pub options: fn() -> FunctionOptions,
    /// The filter of the attribute, if there is one.
    pub accepts: Option<Ask<bool>>,
    /// The correlation key of an event that it can read.
    pub check: Ask<Option<Arc<str>>>,
    /// The event that cancels its runs, if there is one.
    pub cancel_on: Option<CancelOn>,
    /// The functions whose failures it handles.
    pub on_failure: &'static [Handled],
    /// Whether it handles their cancels as well.
    pub handles_cancels: bool,
    /// The schedule of the attribute, if it has one.
    pub schedule: Option<fn() -> ScheduleDef>,
    /// Which of its runs start, and when, if it says anything of that.
    pub flow: Option<FlowDef>,
    /// What it takes besides its event, as far as a worker has to have it.
    pub needs: &'static [fn() -> Option<Need>],
    /// Begins an attempt of a run.
    pub start: fn(Invocation) -> Driven,
    /// Where it is written.
    pub location: Location,
    /// The package that it is in.
    pub package: &'static str,
    /// The version of that.
    pub version: &'static str,
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
        arms: &[],
        helpers: &[],
        options: FunctionOptions::default,
        accepts: None,
        check: |_, _| Ok(None),
        cancel_on: None,
        on_failure: &[],
        handles_cancels: false,
        schedule: None,
        flow: None,
        needs: &[],
        start: |_| Box::pin(std::future::pending()),
        location: Location {
            file: "",
            line: 0,
            column: 0,
        },
        package: "",
        version: "",
    };
}

/// A function whose failures another one handles.
#[derive(Clone, Copy)]
pub struct Handled {
    /// That function.
    pub function: fn() -> &'static FunctionDef,
    /// The types of its events.
    pub types: &'static [&'static str],
    /// Whether it handles failures itself. Then it could handle its own, without end.
    pub is_a_handler: bool,
}

impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handled")
            .field(&(self.function)().id)
            .finish()
    }
}

/// Stands for a function that has mistakes, so that its uses are no mistakes of their own.
pub static UNFINISHED: FunctionDef = FunctionDef::BLANK;

/// What `inventory` collects of functions.
#[derive(Debug)]
pub struct FunctionEntry(pub &'static FunctionDef);
inventory::collect!(FunctionEntry);

/// What `inventory` collects of events.
pub struct EventEntry {
    /// The types that the Rust type stands for.
    pub types: &'static [&'static str],
    /// The correlation key of an event that it can read.
    pub check: Ask<Option<Arc<str>>>,
    /// Where it is written.
    pub location: Location,
    /// The package that it is in.
    pub package: &'static str,
}

impl fmt::Debug for EventEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventEntry")
            .field("types", &self.types)
            .finish_non_exhaustive()
    }
}

inventory::collect!(EventEntry);

/// What `inventory` collects of a helper that has keys of its own.
#[derive(Debug)]
pub struct HelperEntry {
    /// Its name.
    pub name: &'static str,
    /// Its keys, as those of a function.
    pub keys: &'static [KeyDef],
    /// Those in the arms of its races.
    pub arms: &'static [ArmKey],
    /// The names of the helpers that its scopes call.
    pub helpers: &'static [&'static str],
    /// Where it is written.
    pub location: Location,
    /// The package that it is in.
    pub package: &'static str,
}

inventory::collect!(HelperEntry);

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
    ///
    /// # Errors
    /// This program cannot read it.
    pub fn event<E: EventSet>(&self) -> Result<E> {
        let event = E::decode(&self.event_type, &self.payload);
        if event.is_err() {
            self.scope.cannot_read_the_event();
        }
        event
    }

    /// The place where its steps are looked up.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }
}

/// A `wait!` of the program, submitted at link time.
#[derive(Debug)]
pub struct AwaitEntry(pub &'static [&'static str]);
inventory::collect!(AwaitEntry);
