//! The functions and events that link-time registration found in this program.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    error::{Error, ErrorKind, Result},
    function::{
        Ask, EventEntry, FunctionDef, FunctionEntry,
        state::{States, missing},
    },
    panic,
    run::Location,
    store::{Flow, LaneLimit, Limits, RunStatus, Subscription},
    telemetry::FunctionMetrics,
};

mod awaited;
mod build;
mod handlers;
#[cfg(feature = "dashboard")]
mod shape;
mod transactions;
mod types;

use handlers::Handlers;

/// The functions of a worker, by id, and what the program knows of events.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    functions: Vec<Registered>,
    by_id: HashMap<&'static str, usize>,
    by_event: HashMap<&'static str, Vec<usize>>,
    /// The event types that a `wait!` of the program names, sorted.
    awaited: Vec<&'static str>,
    /// Those that cancel runs of its functions, sorted.
    cancelling: Vec<&'static str>,
    /// The failure handlers of each function that has some.
    handlers: Handlers,
    has_flow: bool,
    has_lanes: bool,
}

/// A function with what is looked up often.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) def: &'static FunctionDef,
    pub(crate) id: Arc<str>,
    pub(crate) options: crate::function::FunctionOptions,
    pub(crate) metrics: Arc<FunctionMetrics>,
}

impl Registered {
    /// The event types that it takes; one may come twice.
    pub(crate) fn event_types(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.def.events.iter().copied().flatten().copied()
    }

    /// Whether the filter wants the event; its panic is an error of that kind.
    pub(crate) fn wants(&self, event_type: &str, payload: &[u8]) -> Result<bool> {
        let Some(accepts) = self.def.accepts else {
            return Ok(true);
        };
        let what = format!("the filter of `{}`", self.id);
        panic::catch(&what, || accepts(event_type, payload))
    }

    /// Its limits of runs at once over all workers; `None` if it has none, and moves no runs.
    pub(crate) fn limits(&self) -> Option<Arc<[LaneLimit]>> {
        self.def.flow.as_ref()?.limits(&self.id)
    }

    /// What its flow options make of an event; `None` if it has none.
    pub(crate) fn flow(&self, event_type: &str, payload: &[u8]) -> Option<Result<Flow>> {
        let flow = self.def.flow.as_ref()?;
        let what = format!("the flow options of `{}`", self.id);
        Some(panic::catch(&what, || (flow.of)(event_type, payload)))
    }

    /// Whether its runs take the events of a batch.
    pub(crate) fn is_batch(&self) -> bool {
        self.def.flow.as_ref().is_some_and(|flow| flow.is_batch)
    }

    /// The event types that cancel its runs, if it has the option; one may come twice.
    pub(crate) fn cancel_types(&self) -> Option<impl Iterator<Item = &'static str> + use<>> {
        types::cancelling(self.def)
    }

    /// The correlation key of the event that started a run, by which another one may cancel it.
    pub(crate) fn cancel_key(&self, event_type: &str, payload: &[u8]) -> Option<Arc<str>> {
        let cancel_on = self.def.cancel_on.as_ref()?;
        fits(cancel_on.key, event_type, payload).ok()?
    }

    /// The correlation key of an event that fits this function and is valid.
    pub(crate) fn check(&self, event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
        fits(self.def.check, event_type, payload)
    }
}

/// Asks the event's own code, whose panic says that the event does not fit.
fn fits(
    check: Ask<Option<Arc<str>>>,
    event_type: &str,
    payload: &[u8],
) -> Result<Option<Arc<str>>> {
    let mut answered = false;
    let what = format!("to read the event `{event_type}`");
    let checked = panic::catch(&what, || {
        let checked = check(event_type, payload);
        answered = true;
        checked
    });
    match checked {
        Err(panicked) if !answered => {
            Err(Error::new(ErrorKind::InvalidEvent, panicked.to_string()))
        }
        checked => checked,
    }
}

impl Registry {
    /// Every function in the program.
    ///
    /// # Errors
    /// Two functions have one id, or two Rust types stand for one event type.
    pub(crate) fn linked() -> Result<Self> {
        one_type_each(inventory::iter::<EventEntry>.into_iter())?;
        Self::of(
            inventory::iter::<FunctionEntry>
                .into_iter()
                .map(|entry| entry.0),
        )
    }

    /// The given functions.
    ///
    /// # Errors
    /// Two functions have the same id, or one has limits of time that no run can meet.
    pub(crate) fn of(defs: impl IntoIterator<Item = &'static FunctionDef>) -> Result<Self> {
        let mut defs: Vec<_> = defs.into_iter().collect();
        defs.sort_by_key(|def| (def.id, def.location.file, def.location.line));
        defs.dedup_by(|a, b| std::ptr::eq(*a, *b));
        let mut registry = Self {
            awaited: types::by_waits(),
            handlers: Handlers::linked(),
            ..Self::default()
        };
        for def in defs {
            if let Some(&first) = registry.by_id.get(def.id) {
                let first = registry.functions[first].def;
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "two functions have the id `{}`: one at {} (package {}), one at {} (package {}); \
                         give one of them another id",
                        def.id,
                        place(first),
                        first.package,
                        place(def),
                        def.package,
                    ),
                ));
            }
            let index = registry.functions.len();
            registry.by_id.insert(def.id, index);
            for event_type in def.events.iter().copied().flatten() {
                let listeners = registry.by_event.entry(event_type).or_default();
                if listeners.last() != Some(&index) {
                    listeners.push(index);
                }
            }
            registry.functions.push(Registered {
                def,
                id: Arc::from(def.id),
                options: (def.options)(),
                metrics: Arc::new(FunctionMetrics::new(def.id)),
            });
        }
        registry.cancelling =
            types::by_options(registry.functions.iter().map(|function| function.def));
        let mut functions = registry.functions.iter();
        registry.has_flow = functions.any(|function| function.def.flow.is_some());
        let mut functions = registry.functions.iter();
        registry.has_lanes = functions.any(|function| function.limits().is_some());
        registry.check_limits()?;
        Ok(registry)
    }

    /// Whether a worker with these states has all that its functions take.
    ///
    /// # Errors
    /// It names each function that lacks something, and what.
    pub(crate) fn check_needs(&self, states: &States) -> Result<()> {
        let mut lacks = Vec::new();
        for function in &self.functions {
            let def = function.def;
            let needs = def.needs.iter().filter_map(|need| need());
            for need in needs.filter(|need| !states.has(need)) {
                let (taken, package) = (need.of_function(def.id), def.package);
                lacks.push(format!("{taken} at {} (package {package})", place(def)));
            }
        }
        if lacks.is_empty() {
            Ok(())
        } else {
            Err(Error::new(ErrorKind::Config, missing(&lacks, states)))
        }
    }

    /// The functions, sorted by id; their places are the numbers that `index` gives.
    pub(crate) fn functions(&self) -> &[Registered] {
        &self.functions
    }

    /// Whether runs of a function stand in lines, of which another may go on when one has ended.
    pub(crate) fn has_lanes(&self) -> bool {
        self.has_lanes
    }

    /// Whether a function has flow options.
    pub(crate) fn has_flow(&self) -> bool {
        self.has_flow
    }

    pub(crate) fn index(&self, function_id: &str) -> Option<usize> {
        self.by_id.get(function_id).copied()
    }

    pub(crate) fn get(&self, function_id: &str) -> Option<&Registered> {
        self.index(function_id).map(|index| &self.functions[index])
    }

    /// The ids of the functions of the program that handle it when a run of this one ends so.
    pub(crate) fn handlers(&self, function_id: &str, status: RunStatus) -> &[&'static str] {
        self.handlers.of_function(function_id, status)
    }

    /// The function of this id, if it takes events of this type.
    #[cfg(feature = "http")]
    pub(crate) fn reader(&self, function_id: &str, event_type: &str) -> Option<usize> {
        let index = self.index(function_id)?;
        self.listeners(event_type)
            .find(|listener| *listener == index)
    }

    /// The functions that listen for an event type.
    pub(crate) fn listeners(&self, event_type: &str) -> impl Iterator<Item = usize> + '_ {
        self.by_event.get(event_type).into_iter().flatten().copied()
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.functions
            .iter()
            .map(|function| {
                let mut event_types: Vec<_> = function.event_types().collect();
                event_types.sort_unstable();
                event_types.dedup();
                Subscription::new(Arc::clone(&function.id), event_types)
            })
            .collect()
    }

    /// Whether the limits of time can be met.
    ///
    /// # Errors
    /// A limit is zero, or a run would be over before its time to start is; the error names the function.
    fn check_limits(&self) -> Result<()> {
        for function in &self.functions {
            let options = &function.options;
            let (start, finish) = (options.start_within, options.finish_within);
            let what = if [start, finish].contains(&Some(Duration::ZERO)) {
                "a limit of time is zero, so each of its runs would be over at once"
            } else if start
                .zip(finish)
                .is_some_and(|(start, finish)| finish < start)
            {
                "`finish_within` is shorter than `start_within`, so a run could be over before it has to start"
            } else {
                continue;
            };
            let (id, place) = (&function.id, place(function.def));
            let text = format!("the function `{id}` at {place}: {what}");
            return Err(Error::new(ErrorKind::Config, text));
        }
        Ok(())
    }

    /// How much time runs of the functions have that limit it.
    pub(crate) fn limits(&self) -> Vec<Limits> {
        let limits = self.functions.iter().map(|function| {
            Limits::new(Arc::clone(&function.id))
                .with_start_within(function.options.start_within)
                .with_finish_within(function.options.finish_within)
        });
        limits.filter(Limits::is_some).collect()
    }

    /// The functions whose cancels are handled.
    pub(crate) fn cancel_handled(&self) -> Vec<Arc<str>> {
        let handled = self
            .functions
            .iter()
            .filter(|function| !self.handlers(&function.id, RunStatus::Cancelled).is_empty());
        handled.map(|function| Arc::clone(&function.id)).collect()
    }

    /// The correlation key of a received event, if a function of this worker that takes it can read it, or none takes it here.
    pub(crate) fn check(&self, event_type: &str, payload: &[u8]) -> Result<Option<Arc<str>>> {
        let mut misfit = None;
        for index in self.listeners(event_type) {
            match self.functions[index].check(event_type, payload) {
                Ok(key) => return Ok(key),
                Err(error) => misfit = misfit.or(Some(error)),
            }
        }
        match misfit {
            Some(error) => Err(error),
            // A wait of this program would fail with it.
            None if self.awaits(event_type) => match linked(event_type) {
                Some(entry) => fits(entry.check, event_type, payload),
                None => Ok(None),
            },
            None => Ok(linked_key(event_type, payload)),
        }
    }

    /// Whether the program has this event, though none of its functions may take it.
    #[expect(
        clippy::unused_self,
        reason = "what the program has is the registry's to say"
    )]
    pub(crate) fn links(&self, event_type: &str) -> bool {
        linked(event_type).is_some()
    }
}

/// Refuses two Rust types of one event type: what is published as the one would be read as the other.
fn one_type_each<'a>(entries: impl Iterator<Item = &'a EventEntry>) -> Result<()> {
    let mut entries: Vec<_> = entries.collect();
    // The linker's order is no order.
    entries.sort_by_key(|entry| (entry.location.file, entry.location.line, entry.package));
    let mut known = HashMap::<&str, &EventEntry>::new();
    for entry in entries {
        for event_type in entry.types {
            if let Some(first) = known.insert(event_type, entry) {
                return Err(two_types(event_type, first, entry));
            }
        }
    }
    Ok(())
}

fn two_types(event_type: &str, first: &EventEntry, second: &EventEntry) -> Error {
    let place = |entry: &EventEntry| {
        let Location { file, line, .. } = entry.location;
        format!("{file}:{line} (package {})", entry.package)
    };
    let (first, second) = (place(first), place(second));
    let text = if first == second {
        format!(
            "the event type `{event_type}` at {first} is in this program twice, as two Rust types: take it from one crate, in \
             place of a `mod` of its file in another one"
        )
    } else {
        format!(
            "two Rust types stand for the event type `{event_type}`: one at {first}, one at {second}; what is published as one \
             of them would be read as the other. Use one of them, or give one another type with `#[event(type = \"…\")]`"
        )
    };
    Error::new(ErrorKind::Config, text)
}

/// The correlation key of an event that no function here takes, by a type that is merely linked in: where another program's
/// differs, that is the one who knows.
fn linked_key(event_type: &str, payload: &[u8]) -> Option<Arc<str>> {
    fits(linked(event_type)?.check, event_type, payload)
        .ok()
        .flatten()
}

fn linked(event_type: &str) -> Option<&'static EventEntry> {
    inventory::iter::<EventEntry>
        .into_iter()
        .find(|entry| entry.types.contains(&event_type))
}

fn place(def: &FunctionDef) -> String {
    format!("{}:{}", def.location.file, def.location.line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const fn def(id: &'static str, line: u32) -> FunctionDef {
        FunctionDef {
            id,
            events: &[&["ping", "pong"], &["ping"]],
            location: Location {
                file: "shop.rs",
                line,
                column: 1,
            },
            package: "shop",
            ..FunctionDef::BLANK
        }
    }

    static FIRST: FunctionDef = def("charge", 10);
    static SECOND: FunctionDef = def("charge", 20);
    static OTHER: FunctionDef = def("ship", 30);

    #[test]
    fn two_functions_with_one_id_are_an_error_that_names_both_places() {
        let error = Registry::of([&FIRST, &OTHER, &SECOND]).expect_err("one id, two functions");
        assert_eq!(error.kind(), ErrorKind::Config);
        let text = error.to_string();
        assert!(
            text.contains("shop.rs:10") && text.contains("shop.rs:20"),
            "{text}"
        );
    }

    const fn event(types: &'static [&'static str], line: u32, package: &'static str) -> EventEntry {
        EventEntry {
            types,
            check: |_, _| Ok(None),
            location: Location {
                file: "events.rs",
                line,
                column: 1,
            },
            package,
        }
    }

    /// A shop's `Cancelled` and its accounts' `Cancelled` were one wire type, and an order that was cancelled closed an
    /// account.
    #[test]
    fn two_rust_types_of_one_event_type_are_an_error_that_names_both_places() {
        let orders = event(&["ordered", "cancelled"], 10, "orders");
        let accounts = event(&["cancelled"], 20, "accounts");
        one_type_each([&orders].into_iter()).expect("two types");
        for both in [[&orders, &accounts], [&accounts, &orders]] {
            let error = one_type_each(both.into_iter()).expect_err("one type, twice");
            assert_eq!(error.kind(), ErrorKind::Config);
            let text = error.to_string();
            assert!(
                text.starts_with("two Rust types stand for the event type `cancelled`: one at events.rs:10 (package orders), one at events.rs:20 (package accounts);"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_that_is_compiled_into_two_crates_of_a_program_is_said_to_be() {
        let (once, again) = (event(&["paid"], 10, "shop"), event(&["paid"], 10, "shop"));
        let error = one_type_each([&once, &again].into_iter()).expect_err("one type, twice");
        let text = error.to_string();
        assert!(text.contains("is in this program twice"), "{text}");
    }

    #[test]
    fn a_function_listens_once_for_each_of_its_types() {
        let registry = Registry::of([&OTHER, &FIRST, &FIRST]).expect("two functions");
        assert_eq!(registry.listeners("ping").collect::<Vec<_>>(), [0, 1]);
        let subscriptions = registry.subscriptions();
        assert_eq!(&*subscriptions[0].function_id, "charge");
        let types: Vec<&str> = subscriptions[0]
            .event_types
            .iter()
            .map(|name| &**name)
            .collect();
        assert_eq!(types, ["ping", "pong"]);
    }
}
