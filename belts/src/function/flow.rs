//! The flow options of a function, and what it takes where they give it several events at once.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{
    ask::Ask,
    whole::{Item, Whole, is_whole, whole},
};
use crate::{
    error::{Error, ErrorKind, Result},
    event::{EncodedEvent, EventSet, key::NotPublished},
    store::{Flow, LaneLimit},
};

/// The most bytes of a key.
const MOST_KEY_BYTES: usize = 512;

/// What a function says of its flow.
#[derive(Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, which generated code says by its name"
)]
pub struct FlowDef {
    /// What it makes of an event.
    pub of: Ask<Flow>,
    /// Its limits of runs at once over all workers.
    pub lanes: fn() -> Vec<LaneDef>,
    /// Whether it takes several events at once.
    pub is_batch: bool,
    /// Whether it moves runs up.
    pub has_priority: bool,
    /// Whether the end of one of its runs lets another go on, or one ends another.
    pub is_single: bool,
    /// Whether a run that has waited, or has collected events, asks once more before it starts.
    pub by_turns: bool,
}

impl FlowDef {
    /// What claims of its runs go by: its limits of runs at once. `None` if it has none, and moves no runs.
    pub(crate) fn limits(&self, function_id: &str) -> Option<Arc<[LaneLimit]>> {
        let lanes = (self.lanes)();
        if lanes.is_empty() && !self.has_priority {
            return None;
        }
        let limits = lanes.iter();
        let limits = limits.map(|lane| LaneLimit::new(lane.pool(function_id), lane.limit));
        Some(limits.collect())
    }
}

impl fmt::Debug for FlowDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowDef")
            .field("lanes", &(self.lanes)())
            .field("is_batch", &self.is_batch)
            .finish_non_exhaustive()
    }
}

/// A limit of runs at once over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneDef {
    /// How many at once, for each key.
    pub limit: u32,
    /// The name of the pool, if functions share it.
    pub shared: Option<&'static str>,
    /// What the key is called; empty where there is none.
    pub label: &'static str,
}

impl LaneDef {
    /// The pool whose runs are counted.
    pub(crate) fn pool(&self, function_id: &str) -> Arc<str> {
        match self.shared {
            Some(name) => format!("shared:{name}").into(),
            None if self.label.is_empty() => function_id.into(),
            None => format!("{function_id}:{}", self.label).into(),
        }
    }
}

/// What a function with a `batch` takes: a `Vec` of events.
#[diagnostic::on_unimplemented(
    message = "a function with `batch` takes several events at once, and `{Self}` is not a `Vec` of them",
    label = "not a `Vec<…>` of events",
    note = "take `Vec<OrderCreated>` in place of `OrderCreated`"
)]
pub trait BatchOf: EventSet {
    /// The type of its events.
    type Event: EventSet;
}

#[diagnostic::do_not_recommend]
impl<E: EventSet> BatchOf for Vec<E> {
    type Event = E;
}

/// The events of a batch, in their order. One that came alone is a batch of one.
#[diagnostic::do_not_recommend]
impl<E: EventSet> EventSet for Vec<E> {
    type Key = NotPublished;

    const TYPES: &'static [&'static str] = E::TYPES;

    fn encode(&self) -> Result<EncodedEvent> {
        let encoded = self.iter().map(E::encode).collect::<Result<Vec<_>>>()?;
        match encoded.as_slice() {
            [] => Err(Error::new(
                ErrorKind::InvalidEvent,
                "a batch has one event at least",
            )),
            // Of one as well: it is handed over whole, and is not to be collected with others.
            [first, ..] => Ok(EncodedEvent {
                event_type: Arc::clone(&first.event_type),
                payload: whole(
                    encoded
                        .iter()
                        .map(|event| (&*event.event_type, &*event.payload)),
                )?,
                correlation_key: None,
            }),
        }
    }

    fn decode(event_type: &str, payload: &[u8]) -> Result<Self> {
        if !is_whole(payload) {
            return E::decode(event_type, payload).map(|event| vec![event]);
        }
        let whole: Whole<Item<'_>> = serde_json::from_slice(payload).map_err(|error| {
            Error::new(ErrorKind::InvalidEvent, "the events of a batch do not fit")
                .with_source(error)
        })?;
        let items = whole.events.iter();
        items
            .map(|item| E::decode(&item.event_type, item.event.get().as_bytes()))
            .collect()
    }

    fn check(&self) -> Result<()> {
        self.iter().try_for_each(E::check)
    }
}

/// The first event of a payload, and whether that holds several.
///
/// # Errors
/// This program cannot read it, or it holds none.
pub fn first<V: BatchOf + IntoIterator<Item = V::Event>>(
    event_type: &str,
    payload: &[u8],
) -> Result<(V::Event, bool)> {
    let first = V::decode(event_type, payload)?.into_iter().next();
    let none = || Error::new(ErrorKind::InvalidEvent, "a batch has one event at least");
    Ok((first.ok_or_else(none)?, is_whole(payload)))
}

/// A key as text: a string as it is, anything else as JSON, and two that differ never alike.
///
/// # Errors
/// It cannot be written as JSON, or is too long.
pub fn key<T: Serialize + ?Sized>(function: &str, option: &str, value: &T) -> Result<Arc<str>> {
    let wrong = |kind, what: String| {
        let text = format!("the key of `{option}` of the function `{function}` {what}");
        Error::new(kind, text)
    };
    let json = serde_json::to_string(value).map_err(|error| {
        wrong(
            ErrorKind::InvalidEvent,
            "cannot be written as JSON".to_owned(),
        )
        .with_source(error)
    })?;
    // A string that reads as JSON of its own would be taken for that.
    let plain = serde_json::from_str::<String>(&json)
        .ok()
        .filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_err());
    let text = plain.unwrap_or(json);
    if text.len() > MOST_KEY_BYTES {
        let size = text.len();
        return Err(wrong(
            ErrorKind::TooLarge,
            format!(
                "has {size} bytes, over the limit of {MOST_KEY_BYTES}; use an id or a digest of it"
            ),
        ));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Serialize) -> String {
        key("f", "throttle", &value)
            .expect("a short key")
            .to_string()
    }

    #[test]
    fn keys_that_differ_are_never_alike() {
        assert_eq!(text("acme"), "acme");
        assert_eq!(text(7), "7");
        assert_eq!(text("7"), "\"7\"");
        assert_eq!(text(Some("null")), "\"null\"");
        assert_eq!(text(None::<String>), "null");
        assert_eq!(text(("a", 1)), r#"["a",1]"#);
        assert_eq!(text(r#"["a",1]"#), r#""[\"a\",1]""#);
        assert_eq!(text(""), "");
    }

    #[test]
    fn long_keys_are_an_error_that_says_so() {
        let error = key("f", "throttle", &"x".repeat(513)).expect_err("too long");
        assert!(
            error
                .to_string()
                .contains("`throttle` of the function `f` has 513 bytes"),
            "{error}"
        );
        assert!(key("f", "throttle", &"x".repeat(512)).is_ok());
    }
}
